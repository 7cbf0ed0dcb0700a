#pragma once

#include <map>
#include <string>

namespace oqat::bench {

/// Seconds by kind of operation of what runs on this thread while the object lives, from LibTorch's
/// own observer of operations and autograd nodes. An operation's time excludes the operations that
/// it calls; where their kind is not known it is their caller's. One object at a time.
class OpTimes {
 public:
  OpTimes();
  ~OpTimes();
  OpTimes(const OpTimes&) = delete;
  OpTimes& operator=(const OpTimes&) = delete;

  /// Time outside of every operation is under "between operations".
  static const std::map<std::string, double>& Seconds();

 private:
  unsigned long handle_;
};

}  // namespace oqat::bench
