#include "space/block_plan.h"
#include "supernet/elastic_net.h"
#include "supernet/layers.h"

namespace oqat::supernet {

void Recalibrate(ElasticNetImpl& net, const space::Architecture& architecture,
                 const std::vector<torch::Tensor>& batches) {
  const space::Architecture canonical = space::Canonical(net.space(), architecture);
  RecalibrateNet(net.layers(), space::SubnetPlan(net.space(), canonical), batches, net.bits());
}

}  // namespace oqat::supernet
