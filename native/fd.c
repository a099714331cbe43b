/* File descriptors: sockets, options, readiness. */
#include "torii.h"

napi_value torii_register_fd(napi_env env, napi_value exports) {
    (void)env;
    return exports;
}
