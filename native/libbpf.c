/* Loading a BPF object: libbpf does it (maps, BTF, relocations). It is opened at the first use, so that the
 * addon works where it is not installed; what it logs, the verifier's words among it, becomes part of the
 * error. */
#include "bpf.h"
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>

#define LOG_BYTES    (1 << 20)
#define TAIL_BYTES   2000
#define LIBBPF_ERRNO 4000
#define XDP_MODE_DRV 1
#define XDP_MODE_SKB 2

struct bpf_object;
struct bpf_map;
struct bpf_program;
typedef int (*print_function)(int level, const char *format, va_list arguments);

/* struct bpf_xdp_query_opts of libbpf 0.8; later ones are longer and told apart by `size`. */
struct xdp_query {
    size_t size;
    uint32_t prog_id, drv_prog_id, hw_prog_id, skb_prog_id;
    uint8_t attach_mode;
    size_t : 0;
};

/* The part of libbpf's ABI that is used, stable since 1.0. */
static struct {
    print_function (*libbpf_set_print)(print_function);
    struct bpf_object *(*bpf_object__open_mem)(const void *, size_t, const void *);
    int (*bpf_object__load)(struct bpf_object *);
    void (*bpf_object__close)(struct bpf_object *);
    struct bpf_map *(*bpf_object__find_map_by_name)(const struct bpf_object *, const char *);
    struct bpf_program *(*bpf_object__find_program_by_name)(const struct bpf_object *, const char *);
    int (*bpf_map__fd)(const struct bpf_map *);
    int (*bpf_map__set_max_entries)(struct bpf_map *, uint32_t);
    int (*bpf_map__set_inner_map_fd)(struct bpf_map *, int);
    int (*bpf_map__reuse_fd)(struct bpf_map *, int);
    int (*bpf_program__fd)(const struct bpf_program *);
    int (*bpf_xdp_query)(int, int, struct xdp_query *);
} lib;

static pthread_once_t opening = PTHREAD_ONCE_INIT;
static char missing[512];

/* What libbpf said during the call that this thread is in. */
static __thread char *said;
static __thread size_t said_bytes;

static int remember(int level, const char *format, va_list arguments) {
    if (level > 1 || said == NULL || said_bytes >= LOG_BYTES - 1)
        return 0;
    int length = vsnprintf(said + said_bytes, LOG_BYTES - said_bytes, format, arguments);
    if (length > 0)
        said_bytes += (size_t)length < LOG_BYTES - said_bytes ? (size_t)length : LOG_BYTES - 1 - said_bytes;
    return length;
}

static void open_library(void) {
    static const struct {
        const char *name;
        void **function;
    } symbols[] = {
#define SYMBOL(name) {#name, (void **)&lib.name}
        SYMBOL(libbpf_set_print),
        SYMBOL(bpf_object__open_mem),
        SYMBOL(bpf_object__load),
        SYMBOL(bpf_object__close),
        SYMBOL(bpf_object__find_map_by_name),
        SYMBOL(bpf_object__find_program_by_name),
        SYMBOL(bpf_map__fd),
        SYMBOL(bpf_map__set_max_entries),
        SYMBOL(bpf_map__set_inner_map_fd),
        SYMBOL(bpf_map__reuse_fd),
        SYMBOL(bpf_program__fd),
        SYMBOL(bpf_xdp_query),
#undef SYMBOL
    };
    void *library = dlopen("libbpf.so.1", RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        snprintf(missing, sizeof missing, "%s", dlerror());
        return;
    }
    for (size_t i = 0; i < sizeof symbols / sizeof *symbols; ++i) {
        *symbols[i].function = dlsym(library, symbols[i].name);
        if (*symbols[i].function == NULL)
            snprintf(missing, sizeof missing, "libbpf.so.1 has no %s", symbols[i].name);
    }
    if (missing[0] == 0)
        lib.libbpf_set_print(remember);
}

/* True if libbpf is there; it listens to what it says until `end`. False with an exception pending. */
static bool begin(napi_env env) {
    char text[640];
    napi_value code, message, error, value;
    pthread_once(&opening, open_library);
    if (missing[0] == 0) {
        said = calloc(1, LOG_BYTES);
        said_bytes = 0;
        return true;
    }
    snprintf(text, sizeof text, "libbpf missing: apt-get install libbpf1 (%s)", missing);
    napi_create_string_utf8(env, "ERR_LIBBPF_MISSING", NAPI_AUTO_LENGTH, &code);
    napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &message);
    napi_create_error(env, code, message, &error);
    napi_create_int32(env, ENOENT, &value);
    napi_set_named_property(env, error, "errno", value);
    napi_create_string_utf8(env, "dlopen", NAPI_AUTO_LENGTH, &value);
    napi_set_named_property(env, error, "syscall", value);
    napi_throw(env, error);
    return false;
}

/* `result`, or undefined for NULL; a negative `status` throws with the end of the log, all of it in `.log`.
 */
static napi_value end(napi_env env, int status, const char *what, napi_value result) {
    napi_value error, log;
    if (status < 0) {
        /* libbpf's own error numbers say less than its log. */
        int number = -status >= LIBBPF_ERRNO ? EINVAL : -status;
        while (said_bytes > 0 && said[said_bytes - 1] == '\n')
            said[--said_bytes] = 0;
        size_t from = said_bytes > TAIL_BYTES ? said_bytes - TAIL_BYTES : 0;
        torii_throw(env, number, what, said_bytes > 0 ? said + from : NULL);
        napi_get_and_clear_last_exception(env, &error);
        napi_create_string_utf8(env, said ? said : "", said_bytes, &log);
        napi_set_named_property(env, error, "log", log);
        napi_throw(env, error);
    }
    free(said);
    said = NULL;
    said_bytes = 0;
    return status < 0 ? NULL : result ? result : torii_undefined(env);
}

typedef struct {
    struct bpf_object *object; /* NULL when closed */
} handle;

static void on_collected(napi_env env, void *data, void *hint) {
    handle *self = data;
    (void)env;
    (void)hint;
    if (self->object != NULL)
        lib.bpf_object__close(self->object);
    free(self);
}

/* NULL with an exception pending where the first argument is not an object that is open. */
static handle *open_object(const torii_call *call) {
    void *data = NULL;
    if (call->argc > 0 && napi_get_value_external(call->env, call->argv[0], &data) == napi_ok &&
        ((handle *)data)->object != NULL)
        return data;
    torii_throw(call->env, EBADF, "bpf object", "not an object, or closed");
    return NULL;
}

/* The map that the second argument names. */
static struct bpf_map *named_map(const torii_call *call) {
    char name[64], detail[96];
    handle *self = open_object(call);
    if (self == NULL)
        return NULL;
    torii_text(call, 1, name, sizeof name);
    struct bpf_map *map = lib.bpf_object__find_map_by_name(self->object, name);
    snprintf(detail, sizeof detail, "the object has no map '%s'", name);
    if (map == NULL)
        torii_throw(call->env, ENOENT, "bpf object", detail);
    return map;
}

static napi_value object_open(napi_env env, napi_callback_info info) {
    torii_call call = torii_args(env, info);
    size_t length;
    napi_value result;
    uint8_t *bytes = torii_bytes(&call, 0, &length);
    if (!begin(env))
        return NULL;
    handle *self = calloc(1, sizeof *self);
    if (self == NULL)
        return end(env, -ENOMEM, "bpf open", NULL);
    self->object = bytes == NULL ? NULL : lib.bpf_object__open_mem(bytes, length, NULL);
    if (self->object == NULL) {
        int error = bytes == NULL ? EINVAL : errno;
        free(self);
        return end(env, -error, "bpf open", NULL);
    }
    napi_create_external(env, self, on_collected, NULL, &result);
    return end(env, 0, "bpf open", result);
}

static napi_value object_close(napi_env env, napi_callback_info info) {
    torii_call call = torii_args(env, info);
    handle *self = open_object(&call);
    if (self == NULL)
        return NULL;
    lib.bpf_object__close(self->object);
    self->object = NULL;
    return torii_undefined(env);
}

static napi_value object_load(napi_env env, napi_callback_info info) {
    torii_call call = torii_args(env, info);
    handle *self = open_object(&call);
    sigset_t all, before;
    if (self == NULL || !begin(env))
        return NULL;
    /* The verifier gives up (EAGAIN) when a signal is pending: a profiler's come faster than it is done. */
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    int status = lib.bpf_object__load(self->object);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return end(env, status, "bpf load", NULL);
}

static napi_value set_max_entries(napi_env env, napi_callback_info info) {
    torii_call call = torii_args(env, info);
    struct bpf_map *map = named_map(&call);
    if (map == NULL || !begin(env))
        return NULL;
    return end(env, lib.bpf_map__set_max_entries(map, torii_uint(&call, 2)), "bpf set max entries", NULL);
}

/* The descriptor stays the caller's, who keeps it open until the object is loaded. */
static napi_value set_inner_map(napi_env env, napi_callback_info info) {
    torii_call call = torii_args(env, info);
    struct bpf_map *map = named_map(&call);
    if (map == NULL || !begin(env))
        return NULL;
    return end(env, lib.bpf_map__set_inner_map_fd(map, torii_fd(&call, 2)), "bpf set inner map", NULL);
}

static napi_value reuse_map(napi_env env, napi_callback_info info) {
    torii_call call = torii_args(env, info);
    struct bpf_map *map = named_map(&call);
    if (map == NULL || !begin(env))
        return NULL;
    return end(env, lib.bpf_map__reuse_fd(map, torii_fd(&call, 2)), "bpf reuse map", NULL);
}

/* A descriptor of the caller's own: it outlives the object. */
static napi_value own_fd(napi_env env, int fd, const char *what) {
    int copy = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (copy < 0)
        return torii_throw(env, fd < 0 ? EBADF : errno, what, "is the object loaded?");
    return torii_number(env, copy);
}

static napi_value object_map_fd(napi_env env, napi_callback_info info) {
    torii_call call = torii_args(env, info);
    struct bpf_map *map = named_map(&call);
    return map == NULL ? NULL : own_fd(env, lib.bpf_map__fd(map), "bpf map fd");
}

static napi_value object_prog_fd(napi_env env, napi_callback_info info) {
    torii_call call = torii_args(env, info);
    char name[64], detail[96];
    handle *self = open_object(&call);
    if (self == NULL)
        return NULL;
    torii_text(&call, 1, name, sizeof name);
    struct bpf_program *program = lib.bpf_object__find_program_by_name(self->object, name);
    snprintf(detail, sizeof detail, "the object has no program '%s'", name);
    if (program == NULL)
        return torii_throw(env, ENOENT, "bpf object", detail);
    return own_fd(env, lib.bpf_program__fd(program), "bpf program fd");
}

/* bpfXdpQuery(ifindex) → { programId, mode } of whatever is attached there, by whomever; programId 0:
 * nothing. */
static napi_value xdp_query(napi_env env, napi_callback_info info) {
    torii_call call = torii_args(env, info);
    struct xdp_query query = {.size = sizeof query};
    napi_value result, value;
    if (!begin(env))
        return NULL;
    int status = lib.bpf_xdp_query(torii_int(&call, 0), 0, &query);
    if (status < 0)
        return end(env, status, "bpf xdp query", NULL);
    const char *mode = query.attach_mode == XDP_MODE_DRV   ? "native"
                       : query.attach_mode == XDP_MODE_SKB ? "generic"
                       : query.attach_mode == 0            ? "none"
                                                           : "other";
    napi_create_object(env, &result);
    napi_set_named_property(env, result, "programId", torii_number(env, query.prog_id));
    napi_create_string_utf8(env, mode, NAPI_AUTO_LENGTH, &value);
    napi_set_named_property(env, result, "mode", value);
    return end(env, 0, "bpf xdp query", result);
}

napi_value torii_register_libbpf(napi_env env, napi_value exports) {
    torii_export(env, exports, "bpfOpen", object_open);
    torii_export(env, exports, "bpfClose", object_close);
    torii_export(env, exports, "bpfLoad", object_load);
    torii_export(env, exports, "bpfSetMaxEntries", set_max_entries);
    torii_export(env, exports, "bpfSetInnerMap", set_inner_map);
    torii_export(env, exports, "bpfReuseMap", reuse_map);
    torii_export(env, exports, "bpfObjectMapFd", object_map_fd);
    torii_export(env, exports, "bpfObjectProgFd", object_prog_fd);
    torii_export(env, exports, "bpfXdpQuery", xdp_query);
    return exports;
}
