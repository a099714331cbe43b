/* Entry of the Node-API addon: thin doors to system calls, no protocol logic. See binding.ts for the types.
 */
#include "torii.h"

static napi_value init(napi_env env, napi_value exports) {
    torii_register_fd(env, exports);
    torii_register_poll(env, exports);
    torii_register_bpf(env, exports);
    return exports;
}

NAPI_MODULE(NODE_GYP_MODULE_NAME, init)
