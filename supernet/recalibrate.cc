#include "supernet/elastic_net.h"
#include "supernet/layers.h"
#include "supernet/plan.h"

namespace oqat::supernet {

void Recalibrate(ElasticNetImpl& net, const space::Architecture& architecture,
                 const std::vector<torch::Tensor>& batches) {
  const space::Architecture canonical = space::Canonical(net.space(), architecture);
  RecalibrateNet(net.layers(), SubnetPlan(net.space(), canonical), batches, net.bits());
}

}  // namespace oqat::supernet
