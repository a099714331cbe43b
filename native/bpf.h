/* What the BPF parts of the addon share: the system call, and answers to JavaScript. */
#pragma once
#include "napi.h"
#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

napi_value torii_register_bpf_map(napi_env env, napi_value exports);
napi_value torii_register_libbpf(napi_env env, napi_value exports);

static inline int sys_bpf(int command, union bpf_attr *attr) {
    return (int)syscall(__NR_bpf, command, attr, sizeof *attr);
}

static inline int get_info(int fd, void *info, uint32_t size) {
    union bpf_attr attr = {.info = {.bpf_fd = (uint32_t)fd, .info_len = size, .info = (uintptr_t)info}};
    memset(info, 0, size);
    return sys_bpf(BPF_OBJ_GET_INFO_BY_FD, &attr);
}

static inline napi_value bytes_of(napi_env env, const void *data, size_t length) {
    napi_value result;
    napi_create_buffer_copy(env, length, data, NULL, &result);
    return result;
}

static inline void set_number(napi_env env, napi_value object, const char *name, double value) {
    napi_set_named_property(env, object, name, torii_number(env, value));
}

static inline void set_text(napi_env env, napi_value object, const char *name, const char *text) {
    napi_value value;
    napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &value);
    napi_set_named_property(env, object, name, value);
}

static inline napi_value fd_or_throw(napi_env env, int fd, const char *what, const char *detail) {
    return fd < 0 ? torii_throw(env, errno, what, detail) : torii_number(env, fd);
}
