/* The parts of the addon; each adds its functions to `exports`. */
#pragma once
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#define NAPI_VERSION 8
#include <node_api.h>

napi_value torii_register_fd(napi_env env, napi_value exports);
napi_value torii_register_poll(napi_env env, napi_value exports);
napi_value torii_register_bpf(napi_env env, napi_value exports);
