/* Argument checking and error throwing shared by the addon's parts. */
#pragma once
#include "torii.h"
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define TORII_MAX_ARGS 8

typedef struct {
    napi_env env;
    size_t argc;
    napi_value argv[TORII_MAX_ARGS];
} torii_call;

static inline torii_call torii_args(napi_env env, napi_callback_info info) {
    torii_call call = {.env = env, .argc = TORII_MAX_ARGS};
    napi_get_cb_info(env, info, &call.argc, call.argv, NULL, NULL);
    return call;
}

static inline int32_t torii_int(const torii_call *call, size_t index) {
    int32_t value = 0;
    if (index < call->argc)
        napi_get_value_int32(call->env, call->argv[index], &value);
    return value;
}

/* -1, which no system call accepts, where the argument is not a number. */
static inline int torii_fd(const torii_call *call, size_t index) {
    int32_t value = -1;
    if (index < call->argc)
        napi_get_value_int32(call->env, call->argv[index], &value);
    return value;
}

static inline bool torii_bool(const torii_call *call, size_t index) {
    bool value = false;
    if (index < call->argc)
        napi_get_value_bool(call->env, call->argv[index], &value);
    return value;
}

static inline uint32_t torii_uint(const torii_call *call, size_t index) {
    uint32_t value = 0;
    if (index < call->argc)
        napi_get_value_uint32(call->env, call->argv[index], &value);
    return value;
}

/* The bytes of a Uint8Array (a Buffer included); NULL and 0 for anything else, undefined included. */
static inline uint8_t *torii_bytes(const torii_call *call, size_t index, size_t *length) {
    void *data = NULL;
    napi_typedarray_type type;
    bool is_array = false;
    *length = 0;
    if (index >= call->argc)
        return NULL;
    napi_is_typedarray(call->env, call->argv[index], &is_array);
    if (!is_array)
        return NULL;
    napi_get_typedarray_info(call->env, call->argv[index], &type, length, &data, NULL, NULL);
    return data;
}

static inline size_t torii_text(const torii_call *call, size_t index, char *out, size_t size) {
    size_t length = 0;
    out[0] = 0;
    if (index < call->argc)
        napi_get_value_string_utf8(call->env, call->argv[index], out, size, &length);
    return length;
}

static inline napi_value torii_number(napi_env env, double value) {
    napi_value result;
    napi_create_double(env, value, &result);
    return result;
}

static inline napi_value torii_undefined(napi_env env) {
    napi_value result;
    napi_get_undefined(env, &result);
    return result;
}

/* Throws an Error with .errno, .code (text of the number) and .syscall; `detail` may be NULL. */
static inline napi_value torii_throw(napi_env env, int error, const char *syscall, const char *detail) {
    char text[4096];
    napi_value message, code, result, value;
    snprintf(text, sizeof text, "%s: %s%s%s", syscall, strerror(error), detail ? ": " : "",
             detail ? detail : "");
    napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &message);
    const char *name = strerrorname_np(error);
    napi_create_string_utf8(env, name ? name : "EUNKNOWN", NAPI_AUTO_LENGTH, &code);
    napi_create_error(env, code, message, &result);
    napi_create_int32(env, error, &value);
    napi_set_named_property(env, result, "errno", value);
    napi_create_string_utf8(env, syscall, NAPI_AUTO_LENGTH, &value);
    napi_set_named_property(env, result, "syscall", value);
    napi_throw(env, result);
    return NULL;
}

static inline void torii_export(napi_env env, napi_value exports, const char *name, napi_callback callback) {
    napi_value function;
    napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, NULL, &function);
    napi_set_named_property(env, exports, name, function);
}
