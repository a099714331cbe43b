/* Maps by bpf(2). Sizes of keys and values are checked against the map: the kernel would read past the end of
 * a short one. */
#include "bpf.h"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>

#define MAX_CPUS 4096

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

napi_value torii_register_bpf_map(napi_env env, napi_value exports) {
    torii_export(env, exports, "bpfMapCreate", map_create);
    torii_export(env, exports, "bpfMapInfo", map_info);
    torii_export(env, exports, "bpfMapUpdate", map_update);
    torii_export(env, exports, "bpfMapLookup", map_lookup);
    torii_export(env, exports, "bpfMapDelete", map_delete);
    torii_export(env, exports, "bpfMapNextKey", map_next_key);
    torii_export(env, exports, "bpfMapUpdateBatch", map_update_batch);
    torii_export(env, exports, "bpfMapWrite", map_write);
    torii_export(env, exports, "bpfMapRead", map_read);
    return exports;
}
