/* BPF objects through libbpf, which is opened when the first object is: without it everything else still
 * works. */
#include "napi.h"
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

struct bpf_object;
struct bpf_map;
struct bpf_program;
typedef int (*print_function)(int level, const char *format, va_list arguments);

static struct {
    bool tried, loaded;
    print_function (*set_print)(print_function function);
    struct bpf_object *(*open_mem)(const void *bytes, size_t size, const void *options);
    int (*load)(struct bpf_object *object);
    void (*close)(struct bpf_object *object);
    struct bpf_map *(*find_map)(const struct bpf_object *object, const char *name);
    struct bpf_program *(*find_program)(const struct bpf_object *object, const char *name);
    int (*set_inner_map_fd)(struct bpf_map *map, int fd);
    int (*map_fd)(const struct bpf_map *map);
    int (*program_fd)(const struct bpf_program *program);
} libbpf;

/* The last words of libbpf and the verifier, for the error's text. */
static _Thread_local char words[3500];
static _Thread_local size_t spoken;

static int collect(int level, const char *format, va_list arguments) {
    char line[1024];
    if (level > 1)
        return 0;
    int length = vsnprintf(line, sizeof line, format, arguments);
    if (length <= 0)
        return 0;
    if ((size_t)length >= sizeof line)
        length = sizeof line - 1;
    if (spoken + (size_t)length >= sizeof words) {
        /* A verifier's reason stands at the end of its log: the beginning goes. */
        size_t keep = sizeof words - 1 - (size_t)length;
        memmove(words, words + spoken - keep, keep);
        spoken = keep;
    }
    memcpy(words + spoken, line, (size_t)length);
    spoken += (size_t)length;
    words[spoken] = 0;
    return 0;
}

static bool symbol(void *library, const char *name, void *target) {
    void *address = dlsym(library, name);
    memcpy(target, &address, sizeof address);
    return address != NULL;
}

static bool open_libbpf(void) {
    if (libbpf.tried)
        return libbpf.loaded;
    libbpf.tried = true;
    void *library = dlopen("libbpf.so.1", RTLD_NOW | RTLD_LOCAL);
    if (library == NULL)
        return false;
    libbpf.loaded = symbol(library, "libbpf_set_print", &libbpf.set_print) &&
                    symbol(library, "bpf_object__open_mem", &libbpf.open_mem) &&
                    symbol(library, "bpf_object__load", &libbpf.load) &&
                    symbol(library, "bpf_object__close", &libbpf.close) &&
                    symbol(library, "bpf_object__find_map_by_name", &libbpf.find_map) &&
                    symbol(library, "bpf_object__find_program_by_name", &libbpf.find_program) &&
                    symbol(library, "bpf_map__set_inner_map_fd", &libbpf.set_inner_map_fd) &&
                    symbol(library, "bpf_map__fd", &libbpf.map_fd) &&
                    symbol(library, "bpf_program__fd", &libbpf.program_fd);
    if (libbpf.loaded)
        libbpf.set_print(collect);
    /* Kernels before 5.11 count BPF memory against this limit. */
    struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
    setrlimit(RLIMIT_MEMLOCK, &unlimited);
    return libbpf.loaded;
}

typedef struct {
    struct bpf_object *object;
    /* libbpf keeps pointers into the bytes that it was given. */
    void *bytes;
} object;

static void release(object *self) {
    if (self->object != NULL)
        libbpf.close(self->object);
    self->object = NULL;
    free(self->bytes);
    self->bytes = NULL;
}

static void on_collected(napi_env env, void *data, void *hint) {
    (void)env;
    (void)hint;
    release(data);
    free(data);
}

static object *argument(torii_call *call) {
    void *data = NULL;
    if (call->argc == 0 || napi_get_value_external(call->env, call->argv[0], &data) != napi_ok ||
        ((object *)data)->object == NULL) {
        torii_throw(call->env, EINVAL, "bpf object",
                    "the first argument is what objectOpen() gave, not closed");
        return NULL;
    }
    return data;
}

static napi_value object_open(napi_env env, napi_callback_info info) {
    torii_call call = torii_args(env, info);
    size_t length;
    uint8_t *bytes = torii_bytes(&call, 0, &length);
    napi_value handle;
    if (!open_libbpf())
        return torii_throw(env, ENOENT, "libbpf", "libbpf.so.1 is missing: apt-get install libbpf1");
    object *self = calloc(1, sizeof *self);
    if (self == NULL || bytes == NULL || (self->bytes = malloc(length)) == NULL) {
        free(self);
        return torii_throw(env, bytes == NULL ? EINVAL : ENOMEM, "bpf object open", NULL);
    }
    memcpy(self->bytes, bytes, length);
    spoken = 0;
    words[0] = 0;
    self->object = libbpf.open_mem(self->bytes, length, NULL);
    if (self->object == NULL) {
        int error = errno;
        release(self);
        free(self);
        return torii_throw(env, error, "bpf object open", words);
    }
    napi_create_external(env, self, on_collected, NULL, &handle);
    return handle;
}

/* objectSetInnerMap(object, name, fd): the template of a map of maps, before loading. */
static napi_value object_set_inner_map(napi_env env, napi_callback_info info) {
    torii_call call = torii_args(env, info);
    char name[64];
    object *self = argument(&call);
    if (self == NULL)
        return NULL;
    torii_text(&call, 1, name, sizeof name);
    struct bpf_map *map = libbpf.find_map(self->object, name);
    if (map == NULL)
        return torii_throw(env, ENOENT, "bpf object map", name);
    int result = libbpf.set_inner_map_fd(map, torii_fd(&call, 2));
    return result < 0 ? torii_throw(env, -result, "bpf inner map", name) : torii_undefined(env);
}

static napi_value object_load(napi_env env, napi_callback_info info) {
    torii_call call = torii_args(env, info);
    object *self = argument(&call);
    if (self == NULL)
        return NULL;
    spoken = 0;
    words[0] = 0;
    int result = libbpf.load(self->object);
    return result < 0 ? torii_throw(env, -result, "bpf object load", words) : torii_undefined(env);
}

/* A descriptor of the caller's own: closing the object leaves it open. */
static napi_value duplicate(napi_env env, int fd, const char *what, const char *name) {
    int copy = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (copy < 0)
        return torii_throw(env, fd < 0 ? ENOENT : errno, what, name);
    return torii_number(env, copy);
}

static napi_value object_map_fd(napi_env env, napi_callback_info info) {
    torii_call call = torii_args(env, info);
    char name[64];
    object *self = argument(&call);
    if (self == NULL)
        return NULL;
    torii_text(&call, 1, name, sizeof name);
    struct bpf_map *map = libbpf.find_map(self->object, name);
    return duplicate(env, map == NULL ? -1 : libbpf.map_fd(map), "bpf object map", name);
}

static napi_value object_program_fd(napi_env env, napi_callback_info info) {
    torii_call call = torii_args(env, info);
    char name[64];
    object *self = argument(&call);
    if (self == NULL)
        return NULL;
    torii_text(&call, 1, name, sizeof name);
    struct bpf_program *program = libbpf.find_program(self->object, name);
    return duplicate(env, program == NULL ? -1 : libbpf.program_fd(program), "bpf object program", name);
}

static napi_value object_close(napi_env env, napi_callback_info info) {
    torii_call call = torii_args(env, info);
    object *self = argument(&call);
    if (self == NULL)
        return NULL;
    release(self);
    return torii_undefined(env);
}

napi_value torii_register_bpf_object(napi_env env, napi_value exports) {
    torii_export(env, exports, "objectOpen", object_open);
    torii_export(env, exports, "objectSetInnerMap", object_set_inner_map);
    torii_export(env, exports, "objectLoad", object_load);
    torii_export(env, exports, "objectMapFd", object_map_fd);
    torii_export(env, exports, "objectProgramFd", object_program_fd);
    torii_export(env, exports, "objectClose", object_close);
    return exports;
}
