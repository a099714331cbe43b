/* The parts of the addon; each adds its functions to `exports`. */
#pragma once
#define NAPI_VERSION 8
#include <node_api.h>

napi_value torii_register_fd(napi_env env, napi_value exports);
napi_value torii_register_bpf(napi_env env, napi_value exports);
