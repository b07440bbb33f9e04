#include "agent/school/exit_code.hpp"

namespace towpath::cli {

int exit_code_of(Code code) {
  switch (code) {
    case Code::kUsage:
      return kUsage;
    case Code::kConfig:
      return kConfigInvalid;
    case Code::kNotEnrolled:
    case Code::kUnknownKey:
    case Code::kRevoked:
    case Code::kReplaced:
    case Code::kTwoMachines:
      return kNotEnrolled;
    case Code::kNotPermitted:
      return kNotPermitted;
    default:
      return kFailed;
  }
}

}  // namespace towpath::cli
