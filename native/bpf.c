/* Programs, links and pins by bpf(2). Descriptors are plain numbers that the caller closes. Maps are in
 * bpf_map.c; loading an object is in libbpf.c. */
#include "bpf.h"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#define FRAME_GROWTH 512 /* a program may make a frame longer */

/* bpfFdById('map' | 'prog' | 'link', id) → fd, -1 if there is none (any more). */
static napi_value fd_by_id(napi_env env, napi_callback_info info) {
    torii_call call = torii_args(env, info);
    char kind[8];
    torii_text(&call, 0, kind, sizeof kind);
    int command = strcmp(kind, "map") == 0    ? BPF_MAP_GET_FD_BY_ID
                  : strcmp(kind, "link") == 0 ? BPF_LINK_GET_FD_BY_ID
                                              : BPF_PROG_GET_FD_BY_ID;
    union bpf_attr attr = {.map_id = torii_uint(&call, 1)};
    int fd = sys_bpf(command, &attr);
    return fd < 0 && errno == ENOENT ? torii_number(env, -1) : fd_or_throw(env, fd, "bpf fd by id", kind);
}

static napi_value prog_info(napi_env env, napi_callback_info info) {
    torii_call call = torii_args(env, info);
    struct bpf_prog_info program;
    char tag[2 * BPF_TAG_SIZE + 1];
    napi_value result;
    if (get_info(torii_fd(&call, 0), &program, sizeof program) < 0)
        return torii_throw(env, errno, "bpf program info", NULL);
    for (int i = 0; i < BPF_TAG_SIZE; ++i)
        snprintf(tag + 2 * i, 3, "%02x", program.tag[i]);
    napi_create_object(env, &result);
    set_number(env, result, "id", program.id);
    set_number(env, result, "type", program.type);
    set_text(env, result, "name", program.name);
    set_text(env, result, "tag", tag);
    set_number(env, result, "jitedSize", program.jited_prog_len);
    set_number(env, result, "verifiedInstructions", program.verified_insns);
    return result;
}

/* bpfTestRun(progFd, frame, repeat, ingressIfindex | 0) → { retval, data, durationNs } */
static napi_value test_run(napi_env env, napi_callback_info info) {
    torii_call call = torii_args(env, info);
    size_t length;
    napi_value result;
    uint8_t *frame = torii_bytes(&call, 1, &length);
    struct xdp_md context = {.data_end = (uint32_t)length, .ingress_ifindex = torii_uint(&call, 3)};
    uint8_t *out = malloc(length + FRAME_GROWTH);
    if (out == NULL)
        return torii_throw(env, ENOMEM, "bpf test run", NULL);
    union bpf_attr attr = {.test = {.prog_fd = (uint32_t)torii_fd(&call, 0),
                                    .data_size_in = (uint32_t)length,
                                    .data_in = (uintptr_t)frame,
                                    .data_size_out = (uint32_t)(length + FRAME_GROWTH),
                                    .data_out = (uintptr_t)out,
                                    .repeat = torii_uint(&call, 2)}};
    if (context.ingress_ifindex != 0) {
        attr.test.ctx_in = (uintptr_t)&context;
        attr.test.ctx_size_in = sizeof context;
    }
    if (sys_bpf(BPF_PROG_TEST_RUN, &attr) < 0) {
        result = torii_throw(env, errno, "bpf test run", NULL);
    } else {
        napi_create_object(env, &result);
        set_number(env, result, "retval", attr.test.retval);
        set_number(env, result, "durationNs", attr.test.duration);
        napi_set_named_property(env, result, "data", bytes_of(env, out, attr.test.data_size_out));
    }
    free(out);
    return result;
}

static napi_value obj_pin(napi_env env, napi_callback_info info) {
    torii_call call = torii_args(env, info);
    char path[4096];
    torii_text(&call, 1, path, sizeof path);
    union bpf_attr attr = {.pathname = (uintptr_t)path, .bpf_fd = (uint32_t)torii_fd(&call, 0)};
    if (sys_bpf(BPF_OBJ_PIN, &attr) < 0)
        return torii_throw(env, errno, "bpf pin", path);
    return torii_undefined(env);
}

static napi_value obj_get(napi_env env, napi_callback_info info) {
    torii_call call = torii_args(env, info);
    char path[4096];
    torii_text(&call, 0, path, sizeof path);
    union bpf_attr attr = {.pathname = (uintptr_t)path};
    return fd_or_throw(env, sys_bpf(BPF_OBJ_GET, &attr), "bpf get", path);
}

/* bpfLinkXdp(progFd, ifindex, flags: XDP_FLAGS_SKB_MODE or XDP_FLAGS_DRV_MODE) → link fd */
static napi_value link_xdp(napi_env env, napi_callback_info info) {
    torii_call call = torii_args(env, info);
    union bpf_attr attr = {.link_create = {.prog_fd = (uint32_t)torii_fd(&call, 0),
                                           .target_ifindex = torii_uint(&call, 1),
                                           .attach_type = BPF_XDP,
                                           .flags = torii_uint(&call, 2)}};
    return fd_or_throw(env, sys_bpf(BPF_LINK_CREATE, &attr), "bpf link create", NULL);
}

/* bpfLinkUpdate(linkFd, progFd): no packet passes without a program. */
static napi_value link_update(napi_env env, napi_callback_info info) {
    torii_call call = torii_args(env, info);
    union bpf_attr attr = {.link_update = {.link_fd = (uint32_t)torii_fd(&call, 0),
                                           .new_prog_fd = (uint32_t)torii_fd(&call, 1)}};
    if (sys_bpf(BPF_LINK_UPDATE, &attr) < 0)
        return torii_throw(env, errno, "bpf link update", NULL);
    return torii_undefined(env);
}

static napi_value link_detach(napi_env env, napi_callback_info info) {
    torii_call call = torii_args(env, info);
    union bpf_attr attr = {.link_detach = {.link_fd = (uint32_t)torii_fd(&call, 0)}};
    if (sys_bpf(BPF_LINK_DETACH, &attr) < 0)
        return torii_throw(env, errno, "bpf link detach", NULL);
    return torii_undefined(env);
}

/* `ifindex` is 0 when the interface is gone or the link was detached. */
static napi_value link_info(napi_env env, napi_callback_info info) {
    torii_call call = torii_args(env, info);
    struct bpf_link_info link;
    napi_value result;
    if (get_info(torii_fd(&call, 0), &link, sizeof link) < 0)
        return torii_throw(env, errno, "bpf link info", NULL);
    napi_create_object(env, &result);
    set_number(env, result, "id", link.id);
    set_number(env, result, "type", link.type);
    set_number(env, result, "programId", link.prog_id);
    set_number(env, result, "ifindex", link.type == BPF_LINK_TYPE_XDP ? link.xdp.ifindex : 0);
    return result;
}

/* lockDirectory(path) → fd that holds an exclusive flock(2); EAGAIN while another process has it. */
static napi_value lock_directory(napi_env env, napi_callback_info info) {
    torii_call call = torii_args(env, info);
    char path[4096];
    torii_text(&call, 0, path, sizeof path);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0) {
        int error = errno;
        close(fd);
        return torii_throw(env, error, "flock", path);
    }
    return fd_or_throw(env, fd, "open", path);
}

napi_value torii_register_bpf(napi_env env, napi_value exports) {
    torii_export(env, exports, "bpfFdById", fd_by_id);
    torii_export(env, exports, "bpfProgInfo", prog_info);
    torii_export(env, exports, "bpfTestRun", test_run);
    torii_export(env, exports, "bpfPin", obj_pin);
    torii_export(env, exports, "bpfGetPinned", obj_get);
    torii_export(env, exports, "bpfLinkXdp", link_xdp);
    torii_export(env, exports, "bpfLinkUpdate", link_update);
    torii_export(env, exports, "bpfLinkDetach", link_detach);
    torii_export(env, exports, "bpfLinkInfo", link_info);
    torii_export(env, exports, "lockDirectory", lock_directory);
    torii_register_bpf_map(env, exports);
    return torii_register_libbpf(env, exports);
}
