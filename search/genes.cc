#include "search/genes.h"

#include <algorithm>
#include <cmath>

namespace oqat::search {
namespace {

int PositionOf(const std::vector<int>& choices, int value) {
  return static_cast<int>(std::find(choices.begin(), choices.end(), value) - choices.begin());
}

int Draw(int choices, RandomStream& random) {
  return static_cast<int>(random.Below(static_cast<std::uint64_t>(choices)));
}

// Another position than `current`, all equally likely.
int DrawOther(int choices, int current, RandomStream& random) {
  const int drawn = Draw(choices - 1, random);
  return drawn < current ? drawn : drawn + 1;
}

}  // namespace

GeneSpace::GeneSpace(const space::SearchSpace& space, std::vector<int> bits)
    : space_(space), bits_(std::move(bits)) {
  std::sort(bits_.begin(), bits_.end());
  const auto add = [this](const std::vector<int>& choices) {
    if (choices.size() > 1) free_.push_back(size());
    choices_.push_back(static_cast<int>(choices.size()));
  };
  add(space_.resolutions);
  add(bits_);
  for (int stage = 0; stage < space_.num_stages(); ++stage) {
    add(space_.depths);
    for (int block = 0; block < space_.max_depth(); ++block) {
      add(space_.kernels);
      add(space_.expands);
    }
  }
}

space::Architecture GeneSpace::Decode(const Genome& genome) const {
  space::Architecture a;
  Decode(genome, a);
  return a;
}

void GeneSpace::Decode(const Genome& genome, space::Architecture& a) const {
  a.resolution = space_.resolutions[genome[0]];
  a.bits = bits_[genome[1]];
  a.kernels.assign(space_.num_blocks(), 0);
  a.expands.assign(space_.num_blocks(), 0);
  a.depths.resize(space_.num_stages());
  for (int stage = 0; stage < space_.num_stages(); ++stage) {
    const int start = StageStart(stage);
    a.depths[stage] = space_.depths[genome[start]];
    for (int block = 0; block < a.depths[stage]; ++block) {
      const int i = stage * space_.max_depth() + block;
      a.kernels[i] = space_.kernels[genome[start + 1 + 2 * block]];
      a.expands[i] = space_.expands[genome[start + 2 + 2 * block]];
    }
  }
}

Genome GeneSpace::Encode(const space::Architecture& a, RandomStream& random) const {
  Genome genome = Uniform(random);
  genome[0] = PositionOf(space_.resolutions, a.resolution);
  genome[1] = PositionOf(bits_, a.bits);
  for (int stage = 0; stage < space_.num_stages(); ++stage) {
    const int start = StageStart(stage);
    genome[start] = PositionOf(space_.depths, a.depths[stage]);
    for (int block = 0; block < a.depths[stage]; ++block) {
      const int i = stage * space_.max_depth() + block;
      genome[start + 1 + 2 * block] = PositionOf(space_.kernels, a.kernels[i]);
      genome[start + 2 + 2 * block] = PositionOf(space_.expands, a.expands[i]);
    }
  }
  return genome;
}

bool GeneSpace::Contains(const space::Architecture& architecture) const {
  return std::find(bits_.begin(), bits_.end(), architecture.bits) != bits_.end();
}

Genome GeneSpace::Uniform(RandomStream& random) const {
  Genome genome(choices_.size());
  for (int i = 0; i < size(); ++i) genome[i] = Draw(choices_[i], random);
  return genome;
}

Genome GeneSpace::Sized(double size, int bits_position, RandomStream& random) const {
  Genome genome = Uniform(random);
  const double pull = std::fabs(2 * size - 1);
  for (int i = 0; i < this->size(); ++i) {
    if (random.Bernoulli(pull)) genome[i] = size < 0.5 ? 0 : choices_[i] - 1;
  }
  genome[1] = bits_position;
  return genome;
}

void GeneSpace::Mutate(Genome& genome, double probability, RandomStream& random) const {
  for (const int gene : free_) {
    if (random.Bernoulli(probability)) {
      genome[gene] = DrawOther(choices_[gene], genome[gene], random);
    }
  }
}

void GeneSpace::MutateOne(Genome& genome, RandomStream& random) const {
  if (free_.empty()) return;
  const int gene = random.Choose(free_);
  genome[gene] = DrawOther(choices_[gene], genome[gene], random);
}

Genome GeneSpace::Cross(const Genome& a, const Genome& b, RandomStream& random) const {
  Genome child = a;
  if (random.Bernoulli(0.5)) {
    for (int i = 0; i < size(); ++i) {
      if (random.Bernoulli(0.5)) child[i] = b[i];
    }
    return child;
  }
  for (int i = 0; i < 2; ++i) {
    if (random.Bernoulli(0.5)) child[i] = b[i];
  }
  for (int stage = 0; stage < space_.num_stages(); ++stage) {
    if (!random.Bernoulli(0.5)) continue;
    std::copy(b.begin() + StageStart(stage), b.begin() + StageStart(stage + 1),
              child.begin() + StageStart(stage));
  }
  return child;
}

double GeneSpace::CountDistinct() const {
  const double block = static_cast<double>(space_.kernels.size() * space_.expands.size());
  double stage = 0;
  for (const int depth : space_.depths) stage += std::pow(block, depth);
  return static_cast<double>(space_.resolutions.size() * bits_.size()) *
         std::pow(stage, space_.num_stages());
}

std::vector<space::Architecture> GeneSpace::Enumerate() const {
  std::vector<space::Architecture> all;
  space::Architecture a;
  a.kernels.assign(space_.num_blocks(), 0);
  a.expands.assign(space_.num_blocks(), 0);
  a.depths.assign(space_.num_stages(), 0);
  // Depth first over stages and, within a stage of chosen depth, over its blocks.
  const auto visit = [&](const auto& self, int stage, int block) -> void {
    if (stage == space_.num_stages()) {
      all.push_back(a);
      return;
    }
    if (block == a.depths[stage]) {
      if (stage + 1 == space_.num_stages()) {
        self(self, stage + 1, 0);
        return;
      }
      for (const int depth : space_.depths) {
        a.depths[stage + 1] = depth;
        self(self, stage + 1, 0);
      }
      a.depths[stage + 1] = 0;
      return;
    }
    const int i = stage * space_.max_depth() + block;
    for (const int kernel : space_.kernels) {
      for (const int expand : space_.expands) {
        a.kernels[i] = kernel;
        a.expands[i] = expand;
        self(self, stage, block + 1);
      }
    }
    a.kernels[i] = 0;
    a.expands[i] = 0;
  };
  for (const int resolution : space_.resolutions) {
    for (const int bits : bits_) {
      a.resolution = resolution;
      a.bits = bits;
      for (const int depth : space_.depths) {
        a.depths[0] = depth;
        visit(visit, 0, 0);
      }
    }
  }
  std::sort(all.begin(), all.end());
  return all;
}

std::vector<space::Architecture> GeneSpace::Neighbours(const space::Architecture& origin) const {
  std::vector<space::Architecture> near;
  space::Architecture a = origin;
  const auto vary = [&](int& gene, const std::vector<int>& choices) {
    const int kept = gene;
    for (const int choice : choices) {
      if (choice == kept) continue;
      gene = choice;
      near.push_back(a);
    }
    gene = kept;
  };
  vary(a.resolution, space_.resolutions);
  vary(a.bits, bits_);
  for (int stage = 0; stage < space_.num_stages(); ++stage) {
    const int first = stage * space_.max_depth();
    const int depth = a.depths[stage];
    for (int i = first; i < first + depth; ++i) {
      vary(a.kernels[i], space_.kernels);
      vary(a.expands[i], space_.expands);
    }
    for (const int other : space_.depths) {
      if (other == depth) continue;
      space::Architecture changed = a;
      changed.depths[stage] = other;
      for (int i = first + other; i < first + depth; ++i)
        changed.kernels[i] = changed.expands[i] = 0;
      // All woken blocks are given the same genes: their other mixtures are further moves away.
      const bool wakes = other > depth;
      for (std::size_t k = 0; k < (wakes ? space_.kernels.size() : 1); ++k) {
        for (std::size_t e = 0; e < (wakes ? space_.expands.size() : 1); ++e) {
          for (int i = first + depth; i < first + other; ++i) {
            changed.kernels[i] = space_.kernels[k];
            changed.expands[i] = space_.expands[e];
          }
          near.push_back(changed);
        }
      }
    }
  }
  return near;
}

}  // namespace oqat::search
