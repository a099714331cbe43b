/* Maps, programs, links and pins by bpf(2). Descriptors are plain numbers that the caller closes; loading an
 * object is in libbpf.c. Sizes of keys and values are checked against the map: the kernel would read past the
 * end of a short one. */
#include "bpf.h"
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAX_CPUS     4096
#define FRAME_GROWTH 512 /* a program may make a frame longer */

static int sys_bpf(int command, union bpf_attr *attr) {
    return (int)syscall(__NR_bpf, command, attr, sizeof *attr);
}

static int get_info(int fd, void *info, uint32_t size) {
    union bpf_attr attr = {.info = {.bpf_fd = (uint32_t)fd, .info_len = size, .info = (uintptr_t)info}};
    memset(info, 0, size);
    return sys_bpf(BPF_OBJ_GET_INFO_BY_FD, &attr);
}

/* One more than the highest possible CPU: per-CPU values have a slot for each. The file says `0-7` or `0`. */
static uint32_t possible_cpus(void) {
    static uint32_t cpus;
    char text[256] = "";
    if (cpus > 0)
        return cpus;
    int fd = open("/sys/devices/system/cpu/possible", O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        if (read(fd, text, sizeof text - 1) <= 0)
            text[0] = 0;
        close(fd);
    }
    const char *last = text + strcspn(text, "\n");
    while (last > text && last[-1] >= '0' && last[-1] <= '9')
        --last;
    uint32_t count = (uint32_t)atoi(last) + 1;
    /* Where the file is hidden: room for any machine, because the kernel writes what it has. */
    return cpus = text[0] != 0 && count < MAX_CPUS ? count : MAX_CPUS;
}

static bool is_per_cpu(uint32_t type) {
    return type == BPF_MAP_TYPE_PERCPU_HASH || type == BPF_MAP_TYPE_PERCPU_ARRAY ||
           type == BPF_MAP_TYPE_LRU_PERCPU_HASH;
}

static size_t stride_of(const struct bpf_map_info *map) {
    return (map->value_size + 7u) / 8 * 8;
}

static size_t value_bytes(const struct bpf_map_info *map) {
    return is_per_cpu(map->type) ? stride_of(map) * possible_cpus() : map->value_size;
}

static napi_value bytes_of(napi_env env, const void *data, size_t length) {
    napi_value result;
    napi_create_buffer_copy(env, length, data, NULL, &result);
    return result;
}

static void set_number(napi_env env, napi_value object, const char *name, double value) {
    napi_set_named_property(env, object, name, torii_number(env, value));
}

static void set_text(napi_env env, napi_value object, const char *name, const char *text) {
    napi_value value;
    napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &value);
    napi_set_named_property(env, object, name, value);
}

static napi_value fd_or_throw(napi_env env, int fd, const char *what, const char *detail) {
    return fd < 0 ? torii_throw(env, errno, what, detail) : torii_number(env, fd);
}

/* The map behind the first argument; false with an exception pending where it is none. */
static bool map_of(const torii_call *call, struct bpf_map_info *map) {
    errno = EINVAL;
    if (get_info(torii_fd(call, 0), map, sizeof *map) == 0 && map->type != 0)
        return true;
    torii_throw(call->env, errno, "bpf map info", NULL);
    return false;
}

/* A key or value argument of exactly `expected` bytes; NULL with an exception pending for any other. */
static uint8_t *sized(const torii_call *call, size_t index, size_t expected, const char *what) {
    size_t length;
    char detail[128];
    uint8_t *bytes = torii_bytes(call, index, &length);
    if (bytes != NULL && length == expected)
        return bytes;
    snprintf(detail, sizeof detail, "found %s of %zu bytes, expected %zu", what, length, expected);
    torii_throw(call->env, EINVAL, "bpf map", detail);
    return NULL;
}

/* bpfMapCreate(type, keySize, valueSize, maxEntries, flags, name, innerMapFd | -1) → fd */
static napi_value map_create(napi_env env, napi_callback_info info) {
    torii_call call = torii_args(env, info);
    union bpf_attr attr = {.map_type = torii_uint(&call, 0),
                           .key_size = torii_uint(&call, 1),
                           .value_size = torii_uint(&call, 2),
                           .max_entries = torii_uint(&call, 3),
                           .map_flags = torii_uint(&call, 4)};
    int inner = torii_fd(&call, 6);
    if (inner >= 0)
        attr.inner_map_fd = (uint32_t)inner;
    torii_text(&call, 5, attr.map_name, sizeof attr.map_name);
    return fd_or_throw(env, sys_bpf(BPF_MAP_CREATE, &attr), "bpf map create", attr.map_name);
}

static napi_value map_info(napi_env env, napi_callback_info info) {
    torii_call call = torii_args(env, info);
    struct bpf_map_info map;
    napi_value result;
    if (!map_of(&call, &map))
        return NULL;
    napi_create_object(env, &result);
    set_number(env, result, "id", map.id);
    set_number(env, result, "type", map.type);
    set_number(env, result, "keySize", map.key_size);
    set_number(env, result, "valueSize", map.value_size);
    set_number(env, result, "maxEntries", map.max_entries);
    set_number(env, result, "flags", map.map_flags);
    set_text(env, result, "name", map.name);
    return result;
}

static napi_value map_update(napi_env env, napi_callback_info info) {
    torii_call call = torii_args(env, info);
    struct bpf_map_info map;
    if (!map_of(&call, &map))
        return NULL;
    uint8_t *key = sized(&call, 1, map.key_size, "a key");
    uint8_t *value = key == NULL ? NULL : sized(&call, 2, value_bytes(&map), "a value");
    if (value == NULL)
        return NULL;
    union bpf_attr attr = {.map_fd = (uint32_t)torii_fd(&call, 0),
                           .key = (uintptr_t)key,
                           .value = (uintptr_t)value,
                           .flags = BPF_ANY};
    if (sys_bpf(BPF_MAP_UPDATE_ELEM, &attr) < 0)
        return torii_throw(env, errno, "bpf map update", map.name);
    return torii_undefined(env);
}

/* The value, undefined if there is no such key. */
static napi_value map_lookup(napi_env env, napi_callback_info info) {
    torii_call call = torii_args(env, info);
    struct bpf_map_info map;
    if (!map_of(&call, &map))
        return NULL;
    uint8_t *key = sized(&call, 1, map.key_size, "a key");
    if (key == NULL)
        return NULL;
    size_t length = value_bytes(&map);
    uint8_t *value = malloc(length);
    if (value == NULL)
        return torii_throw(env, ENOMEM, "bpf map lookup", map.name);
    union bpf_attr attr = {
        .map_fd = (uint32_t)torii_fd(&call, 0), .key = (uintptr_t)key, .value = (uintptr_t)value};
    napi_value result;
    if (sys_bpf(BPF_MAP_LOOKUP_ELEM, &attr) == 0)
        result = bytes_of(env, value, length);
    else if (errno == ENOENT)
        result = torii_undefined(env);
    else
        result = torii_throw(env, errno, "bpf map lookup", map.name);
    free(value);
    return result;
}

/* False if there was no such key. */
static napi_value map_delete(napi_env env, napi_callback_info info) {
    torii_call call = torii_args(env, info);
    struct bpf_map_info map;
    napi_value result;
    if (!map_of(&call, &map))
        return NULL;
    uint8_t *key = sized(&call, 1, map.key_size, "a key");
    if (key == NULL)
        return NULL;
    union bpf_attr attr = {.map_fd = (uint32_t)torii_fd(&call, 0), .key = (uintptr_t)key};
    int status = sys_bpf(BPF_MAP_DELETE_ELEM, &attr);
    if (status < 0 && errno != ENOENT)
        return torii_throw(env, errno, "bpf map delete", map.name);
    napi_get_boolean(env, status == 0, &result);
    return result;
}

/* bpfMapNextKey(fd, key | undefined): the key after it, undefined after the last. */
static napi_value map_next_key(napi_env env, napi_callback_info info) {
    torii_call call = torii_args(env, info);
    struct bpf_map_info map;
    size_t length;
    uint8_t next[512];
    if (!map_of(&call, &map))
        return NULL;
    uint8_t *key = torii_bytes(&call, 1, &length);
    if (key != NULL && sized(&call, 1, map.key_size, "a key") == NULL)
        return NULL;
    if (map.key_size > sizeof next)
        return torii_throw(env, E2BIG, "bpf map next key", map.name);
    union bpf_attr attr = {
        .map_fd = (uint32_t)torii_fd(&call, 0), .key = (uintptr_t)key, .next_key = (uintptr_t)next};
    if (sys_bpf(BPF_MAP_GET_NEXT_KEY, &attr) == 0)
        return bytes_of(env, next, map.key_size);
    return errno == ENOENT ? torii_undefined(env) : torii_throw(env, errno, "bpf map next key", map.name);
}

/* bpfMapUpdateBatch(fd, keys, values, count): all keys one after the other, then all values. A map of maps
 * waits for its readers once for the whole batch, not for each entry. */
static napi_value map_update_batch(napi_env env, napi_callback_info info) {
    torii_call call = torii_args(env, info);
    struct bpf_map_info map;
    if (!map_of(&call, &map))
        return NULL;
    uint32_t count = torii_uint(&call, 3);
    uint8_t *keys = sized(&call, 1, (size_t)map.key_size * count, "keys");
    uint8_t *values = keys == NULL ? NULL : sized(&call, 2, value_bytes(&map) * count, "values");
    if (values == NULL)
        return NULL;
    union bpf_attr attr = {.batch = {.map_fd = (uint32_t)torii_fd(&call, 0),
                                     .keys = (uintptr_t)keys,
                                     .values = (uintptr_t)values,
                                     .count = count}};
    if (count > 0 && sys_bpf(BPF_MAP_UPDATE_BATCH, &attr) < 0)
        return torii_throw(env, errno, "bpf map update batch", map.name);
    return torii_undefined(env);
}

/* The memory of an array made with BPF_F_MMAPABLE: its values lie at multiples of 8 bytes. */
static uint8_t *mapped(const torii_call *call, const struct bpf_map_info *map, int protection, size_t *size) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    *size = (stride_of(map) * map->max_entries + page - 1) / page * page;
    errno = EINVAL;
    void *memory = map->type == BPF_MAP_TYPE_ARRAY
                       ? mmap(NULL, *size, protection, MAP_SHARED, torii_fd(call, 0), 0)
                       : MAP_FAILED;
    if (memory != MAP_FAILED)
        return memory;
    torii_throw(call->env, errno, "bpf map mmap", map->name);
    return NULL;
}

/* bpfMapWrite(fd, values): all values of a mapped array, packed. */
static napi_value map_write(napi_env env, napi_callback_info info) {
    torii_call call = torii_args(env, info);
    struct bpf_map_info map;
    size_t size;
    if (!map_of(&call, &map))
        return NULL;
    uint8_t *values = sized(&call, 1, (size_t)map.value_size * map.max_entries, "values");
    uint8_t *memory = values == NULL ? NULL : mapped(&call, &map, PROT_READ | PROT_WRITE, &size);
    if (memory == NULL)
        return NULL;
    for (uint32_t i = 0; i < map.max_entries; ++i)
        memcpy(memory + i * stride_of(&map), values + (size_t)i * map.value_size, map.value_size);
    munmap(memory, size);
    return torii_undefined(env);
}

static napi_value map_read(napi_env env, napi_callback_info info) {
    torii_call call = torii_args(env, info);
    struct bpf_map_info map;
    size_t size;
    napi_value result;
    uint8_t *values;
    if (!map_of(&call, &map))
        return NULL;
    uint8_t *memory = mapped(&call, &map, PROT_READ, &size);
    if (memory == NULL)
        return NULL;
    if (napi_create_buffer(env, (size_t)map.value_size * map.max_entries, (void **)&values, &result) ==
        napi_ok)
        for (uint32_t i = 0; i < map.max_entries; ++i)
            memcpy(values + (size_t)i * map.value_size, memory + i * stride_of(&map), map.value_size);
    munmap(memory, size);
    return result;
}

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
    torii_export(env, exports, "bpfMapCreate", map_create);
    torii_export(env, exports, "bpfMapInfo", map_info);
    torii_export(env, exports, "bpfMapUpdate", map_update);
    torii_export(env, exports, "bpfMapLookup", map_lookup);
    torii_export(env, exports, "bpfMapDelete", map_delete);
    torii_export(env, exports, "bpfMapNextKey", map_next_key);
    torii_export(env, exports, "bpfMapUpdateBatch", map_update_batch);
    torii_export(env, exports, "bpfMapWrite", map_write);
    torii_export(env, exports, "bpfMapRead", map_read);
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
    return torii_register_libbpf(env, exports);
}
