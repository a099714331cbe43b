/* Maps, programs and links by bpf(2), and test runs. Loading objects, which takes libbpf, is in bpf_object.c.
 */
#include "napi.h"
#include <fcntl.h>
#include <linux/bpf.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#define BPFFS_MAGIC 0xcafe4a11

static long bpf(int command, union bpf_attr *attr) {
    return syscall(SYS_bpf, command, attr, sizeof *attr);
}

static uint64_t pointer(const void *address) {
    return (uint64_t)(uintptr_t)address;
}

static napi_value result(napi_env env, long value, const char *what) {
    return value < 0 ? torii_throw(env, errno, what, NULL) : torii_number(env, (double)value);
}

/* True, or false where there is no such key. */
static napi_value found(napi_env env, long value, const char *what) {
    napi_value answer;
    if (value < 0 && errno != ENOENT)
        return torii_throw(env, errno, what, NULL);
    napi_get_boolean(env, value == 0, &answer);
    return answer;
}

static void set(napi_env env, napi_value object, const char *name, double value) {
    napi_set_named_property(env, object, name, torii_number(env, value));
}

static napi_value map_create(napi_env env, napi_callback_info info) {
    torii_call call = torii_args(env, info);
    union bpf_attr attr = {
        .map_type = torii_uint(&call, 0),
        .key_size = torii_uint(&call, 1),
        .value_size = torii_uint(&call, 2),
        .max_entries = torii_uint(&call, 3),
        .map_flags = torii_uint(&call, 4),
    };
    char name[64];
    torii_text(&call, 5, name, sizeof name);
    snprintf(attr.map_name, sizeof attr.map_name, "%.15s", name);
    return result(env, bpf(BPF_MAP_CREATE, &attr), "bpf map create");
}

/* Bytes shorter than the map's key or value would let the kernel read past their end: the caller's sizes are
 * checked against what the map says of itself. */
static bool fits(torii_call *call, int fd, size_t key_length, size_t value_length, size_t values) {
    struct bpf_map_info map = {0};
    union bpf_attr attr = {.info = {.bpf_fd = (uint32_t)fd, .info_len = sizeof map, .info = pointer(&map)}};
    if (bpf(BPF_OBJ_GET_INFO_BY_FD, &attr) < 0) {
        torii_throw(call->env, errno, "bpf map info", NULL);
        return false;
    }
    bool per_cpu = map.type == BPF_MAP_TYPE_PERCPU_ARRAY || map.type == BPF_MAP_TYPE_PERCPU_HASH ||
                   map.type == BPF_MAP_TYPE_LRU_PERCPU_HASH;
    size_t value_size = per_cpu ? ((map.value_size + 7u) & ~7u) : map.value_size;
    if (key_length >= map.key_size * values && value_length >= value_size * values)
        return true;
    char detail[160];
    snprintf(detail, sizeof detail,
             "key of %zu and value of %zu bytes, the map '%s' has %u and %zu, %zu times", key_length,
             value_length, map.name, map.key_size, value_size, values);
    torii_throw(call->env, EINVAL, "bpf map access", detail);
    return false;
}

static napi_value map_update(napi_env env, napi_callback_info info) {
    torii_call call = torii_args(env, info);
    size_t key_length, value_length;
    uint8_t *key = torii_bytes(&call, 1, &key_length);
    uint8_t *value = torii_bytes(&call, 2, &value_length);
    if (!fits(&call, torii_fd(&call, 0), key_length, value_length, 1))
        return NULL;
    union bpf_attr attr = {.map_fd = (uint32_t)torii_fd(&call, 0),
                           .key = pointer(key),
                           .value = pointer(value),
                           .flags = torii_uint(&call, 3)};
    return result(env, bpf(BPF_MAP_UPDATE_ELEM, &attr), "bpf map update");
}

/* All entries or, where it throws, the first ones of them. */
static napi_value map_update_batch(napi_env env, napi_callback_info info) {
    torii_call call = torii_args(env, info);
    size_t keys_length, values_length;
    uint8_t *keys = torii_bytes(&call, 1, &keys_length);
    uint8_t *values = torii_bytes(&call, 2, &values_length);
    uint32_t count = torii_uint(&call, 3);
    if (!fits(&call, torii_fd(&call, 0), keys_length, values_length, count))
        return NULL;
    union bpf_attr attr = {.batch = {.map_fd = (uint32_t)torii_fd(&call, 0),
                                     .keys = pointer(keys),
                                     .values = pointer(values),
                                     .count = count}};
    return result(env, bpf(BPF_MAP_UPDATE_BATCH, &attr), "bpf map update batch");
}

/* Per-CPU maps give 8-byte aligned values of every possible CPU: the caller's buffer has room for them all.
 */
static napi_value map_lookup(napi_env env, napi_callback_info info) {
    torii_call call = torii_args(env, info);
    size_t key_length, value_length;
    uint8_t *key = torii_bytes(&call, 1, &key_length);
    uint8_t *value = torii_bytes(&call, 2, &value_length);
    if (!fits(&call, torii_fd(&call, 0), key_length, value_length, 1))
        return NULL;
    union bpf_attr attr = {
        .map_fd = (uint32_t)torii_fd(&call, 0), .key = pointer(key), .value = pointer(value)};
    return found(env, bpf(BPF_MAP_LOOKUP_ELEM, &attr), "bpf map lookup");
}

static napi_value map_delete(napi_env env, napi_callback_info info) {
    torii_call call = torii_args(env, info);
    size_t key_length;
    uint8_t *key = torii_bytes(&call, 1, &key_length);
    if (!fits(&call, torii_fd(&call, 0), key_length, SIZE_MAX, 1))
        return NULL;
    union bpf_attr attr = {.map_fd = (uint32_t)torii_fd(&call, 0), .key = pointer(key)};
    return found(env, bpf(BPF_MAP_DELETE_ELEM, &attr), "bpf map delete");
}

/* Writes the key after `key` (the first one without) into `next`. */
static napi_value map_next_key(napi_env env, napi_callback_info info) {
    torii_call call = torii_args(env, info);
    size_t key_length, next_length;
    uint8_t *key = torii_bytes(&call, 1, &key_length);
    uint8_t *next = torii_bytes(&call, 2, &next_length);
    if (!fits(&call, torii_fd(&call, 0), key == NULL ? next_length : key_length, SIZE_MAX, 1) ||
        !fits(&call, torii_fd(&call, 0), next_length, SIZE_MAX, 1))
        return NULL;
    union bpf_attr attr = {
        .map_fd = (uint32_t)torii_fd(&call, 0), .key = pointer(key), .next_key = pointer(next)};
    return found(env, bpf(BPF_MAP_GET_NEXT_KEY, &attr), "bpf map next key");
}

static napi_value object_pin(napi_env env, napi_callback_info info) {
    torii_call call = torii_args(env, info);
    char path[4096];
    torii_text(&call, 1, path, sizeof path);
    union bpf_attr attr = {.pathname = pointer(path), .bpf_fd = (uint32_t)torii_fd(&call, 0)};
    return bpf(BPF_OBJ_PIN, &attr) < 0 ? torii_throw(env, errno, "bpf pin", path) : torii_undefined(env);
}

/* A descriptor of what is pinned at the path, or -1 if nothing is. */
static napi_value object_get(napi_env env, napi_callback_info info) {
    torii_call call = torii_args(env, info);
    char path[4096];
    torii_text(&call, 0, path, sizeof path);
    union bpf_attr attr = {.pathname = pointer(path)};
    long fd = bpf(BPF_OBJ_GET, &attr);
    if (fd < 0 && errno != ENOENT)
        return torii_throw(env, errno, "bpf get pinned", path);
    return torii_number(env, (double)fd);
}

static napi_value link_create_xdp(napi_env env, napi_callback_info info) {
    torii_call call = torii_args(env, info);
    union bpf_attr attr = {.link_create = {.prog_fd = (uint32_t)torii_fd(&call, 0),
                                           .target_ifindex = torii_uint(&call, 1),
                                           .attach_type = BPF_XDP,
                                           .flags = torii_uint(&call, 2)}};
    return result(env, bpf(BPF_LINK_CREATE, &attr), "bpf link create");
}

static napi_value link_update(napi_env env, napi_callback_info info) {
    torii_call call = torii_args(env, info);
    union bpf_attr attr = {.link_update = {.link_fd = (uint32_t)torii_fd(&call, 0),
                                           .new_prog_fd = (uint32_t)torii_fd(&call, 1)}};
    return result(env, bpf(BPF_LINK_UPDATE, &attr), "bpf link update");
}

static napi_value link_detach(napi_env env, napi_callback_info info) {
    torii_call call = torii_args(env, info);
    union bpf_attr attr = {.link_detach = {.link_fd = (uint32_t)torii_fd(&call, 0)}};
    return result(env, bpf(BPF_LINK_DETACH, &attr), "bpf link detach");
}

static long get_info(torii_call *call, void *info, uint32_t length) {
    union bpf_attr attr = {
        .info = {.bpf_fd = (uint32_t)torii_fd(call, 0), .info_len = length, .info = pointer(info)}};
    return bpf(BPF_OBJ_GET_INFO_BY_FD, &attr);
}

static napi_value program_info(napi_env env, napi_callback_info info) {
    torii_call call = torii_args(env, info);
    struct bpf_prog_info program = {0};
    napi_value object, tag;
    char hex[2 * BPF_TAG_SIZE + 1];
    if (get_info(&call, &program, sizeof program) < 0)
        return torii_throw(env, errno, "bpf program info", NULL);
    for (int i = 0; i < BPF_TAG_SIZE; i++)
        snprintf(hex + 2 * i, 3, "%02x", program.tag[i]);
    napi_create_object(env, &object);
    napi_create_string_utf8(env, hex, NAPI_AUTO_LENGTH, &tag);
    napi_set_named_property(env, object, "tag", tag);
    set(env, object, "id", program.id);
    set(env, object, "jitedSize", program.jited_prog_len);
    set(env, object, "translatedSize", program.xlated_prog_len);
    set(env, object, "verifiedInstructions", program.verified_insns);
    return object;
}

static napi_value map_info(napi_env env, napi_callback_info info) {
    torii_call call = torii_args(env, info);
    struct bpf_map_info map = {0};
    napi_value object;
    if (get_info(&call, &map, sizeof map) < 0)
        return torii_throw(env, errno, "bpf map info", NULL);
    napi_create_object(env, &object);
    set(env, object, "id", map.id);
    set(env, object, "type", map.type);
    set(env, object, "keySize", map.key_size);
    set(env, object, "valueSize", map.value_size);
    set(env, object, "maxEntries", map.max_entries);
    return object;
}

static napi_value link_info(napi_env env, napi_callback_info info) {
    torii_call call = torii_args(env, info);
    struct bpf_link_info link = {0};
    napi_value object;
    if (get_info(&call, &link, sizeof link) < 0)
        return torii_throw(env, errno, "bpf link info", NULL);
    napi_create_object(env, &object);
    set(env, object, "id", link.id);
    set(env, object, "programId", link.prog_id);
    set(env, object, "ifindex", link.type == BPF_LINK_TYPE_XDP ? link.xdp.ifindex : 0);
    return object;
}

/* testRun(program, data, out, repeat): the packet as it left in `out`; its length is in the answer. */
static napi_value test_run(napi_env env, napi_callback_info info) {
    torii_call call = torii_args(env, info);
    size_t data_length, out_length;
    uint8_t *data = torii_bytes(&call, 1, &data_length);
    uint8_t *out = torii_bytes(&call, 2, &out_length);
    union bpf_attr attr = {.test = {.prog_fd = (uint32_t)torii_fd(&call, 0),
                                    .data_in = pointer(data),
                                    .data_size_in = (uint32_t)data_length,
                                    .data_out = pointer(out),
                                    .data_size_out = (uint32_t)out_length,
                                    .repeat = torii_uint(&call, 3)}};
    napi_value object;
    if (bpf(BPF_PROG_TEST_RUN, &attr) < 0)
        return torii_throw(env, errno, "bpf test run", NULL);
    napi_create_object(env, &object);
    set(env, object, "verdict", attr.test.retval);
    set(env, object, "length", attr.test.data_size_out);
    set(env, object, "durationNs", attr.test.duration);
    return object;
}

static napi_value is_bpffs(napi_env env, napi_callback_info info) {
    torii_call call = torii_args(env, info);
    char path[4096];
    struct statfs fs;
    napi_value answer;
    torii_text(&call, 0, path, sizeof path);
    bool is = statfs(path, &fs) == 0 && (uint32_t)fs.f_type == BPFFS_MAGIC;
    napi_get_boolean(env, is, &answer);
    return answer;
}

/* Locks a directory for this process until the descriptor is closed; -1 if another one holds it. */
static napi_value lock_directory(napi_env env, napi_callback_info info) {
    torii_call call = torii_args(env, info);
    char path[4096];
    torii_text(&call, 0, path, sizeof path);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return torii_throw(env, errno, "open", path);
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return torii_number(env, fd);
    int error = errno;
    close(fd);
    return error == EWOULDBLOCK ? torii_number(env, -1) : torii_throw(env, error, "flock", path);
}

napi_value torii_register_bpf(napi_env env, napi_value exports) {
    torii_export(env, exports, "mapCreate", map_create);
    torii_export(env, exports, "mapUpdate", map_update);
    torii_export(env, exports, "mapUpdateBatch", map_update_batch);
    torii_export(env, exports, "mapLookup", map_lookup);
    torii_export(env, exports, "mapDelete", map_delete);
    torii_export(env, exports, "mapNextKey", map_next_key);
    torii_export(env, exports, "objectPin", object_pin);
    torii_export(env, exports, "objectGet", object_get);
    torii_export(env, exports, "linkCreateXdp", link_create_xdp);
    torii_export(env, exports, "linkUpdate", link_update);
    torii_export(env, exports, "linkDetach", link_detach);
    torii_export(env, exports, "programInfo", program_info);
    torii_export(env, exports, "mapInfo", map_info);
    torii_export(env, exports, "linkInfo", link_info);
    torii_export(env, exports, "testRun", test_run);
    torii_export(env, exports, "isBpffs", is_bpffs);
    torii_export(env, exports, "lockDirectory", lock_directory);
    return torii_register_bpf_object(env, exports);
}
