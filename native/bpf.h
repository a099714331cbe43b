/* What bpf.c and libbpf.c share. */
#pragma once
#include "napi.h"

napi_value torii_register_libbpf(napi_env env, napi_value exports);
