#pragma once

namespace CLI {
class App;
}

namespace oqat::supernet {

/// `oqat-train pack`: a data set decoded into one file. See supernet/train/commands.h.
void AddPackCommand(CLI::App& app);

}  // namespace oqat::supernet
