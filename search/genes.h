#pragma once

#include <vector>

#include "base/random.h"
#include "space/architecture.h"
#include "space/search_space.h"

// Internal to search/: an architecture as a flat list of choice positions, which is what the
// genetic operators work on.
namespace oqat::search {

/// Positions into the choices, ascending in cost: resolution, bits, then per stage its depth and
/// per block of the stage kernel and expand. Inactive genes hold any valid position.
using Genome = std::vector<int>;

class GeneSpace {
 public:
  /// `bits`: the allowed bit widths. Keeps a copy of `space`.
  GeneSpace(const space::SearchSpace& space, std::vector<int> bits);

  const space::SearchSpace& space() const { return space_; }
  const std::vector<int>& bits() const { return bits_; }  ///< ascending
  int size() const { return static_cast<int>(choices_.size()); }
  int choices(int gene) const { return choices_[gene]; }

  /// Canonical: equal genomes up to inactive genes give equal architectures.
  space::Architecture Decode(const Genome& genome) const;
  /// The same into an architecture whose memory is used again.
  void Decode(const Genome& genome, space::Architecture& architecture) const;

  /// Inactive genes are drawn, so that a block that mutation wakes up is not always the same.
  Genome Encode(const space::Architecture& architecture, RandomStream& random) const;

  /// True if the architecture's bit width is an allowed one.
  bool Contains(const space::Architecture& architecture) const;

  Genome Uniform(RandomStream& random) const;

  /// Drawn around a size from 0 (every gene smallest) to 1 (every gene largest), 0.5: uniform.
  Genome Sized(double size, int bits_position, RandomStream& random) const;

  /// Every gene moves to another choice with this probability.
  void Mutate(Genome& genome, double probability, RandomStream& random) const;

  /// One gene with several choices moves to another one.
  void MutateOne(Genome& genome, RandomStream& random) const;

  /// Uniform crossover: by whole stages or by single genes, as often the one as the other.
  Genome Cross(const Genome& a, const Genome& b, RandomStream& random) const;

  /// Distinct sub-networks; a float because it overflows integers.
  double CountDistinct() const;

  /// Every distinct sub-network, ordered. Only for small CountDistinct().
  std::vector<space::Architecture> Enumerate() const;

  /// The sub-networks one gene away (for a woken block: with all its kernels and expands).
  std::vector<space::Architecture> Neighbours(const space::Architecture& architecture) const;

 private:
  int StageStart(int stage) const { return 2 + stage * (1 + 2 * space_.max_depth()); }

  space::SearchSpace space_;
  std::vector<int> bits_;
  std::vector<int> choices_;  // number of choices of each gene
  std::vector<int> free_;     // genes with more than one choice
};

}  // namespace oqat::search
