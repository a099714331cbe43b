/* Readiness of a descriptor in Node's event loop, by uv_poll. One handle per watch, none shared between
 * threads: each environment closes its own when it ends. */
#include "napi.h"
#include <stdlib.h>
#include <uv.h>

typedef struct {
    uv_poll_t poll; /* first: libuv hands this pointer back */
    napi_env env;
    napi_ref callback;
    napi_async_context context;
    napi_async_cleanup_hook_handle cleanup;
    int events;
    bool closing;
    /* Freed when libuv and JavaScript have both let go, in either order. */
    bool closed;
    bool collected;
} watch;

static void on_closed(uv_handle_t *handle) {
    watch *self = (watch *)handle;
    /* Not before: an environment that ends meanwhile has to wait for libuv. */
    napi_remove_async_cleanup_hook(self->cleanup);
    self->closed = true;
    if (self->collected)
        free(self);
}

static void on_collected(napi_env env, void *data, void *hint) {
    watch *self = data;
    (void)env;
    (void)hint;
    self->collected = true;
    if (self->closed)
        free(self);
}

static void release(watch *self) {
    self->closing = true;
    napi_delete_reference(self->env, self->callback);
    napi_async_destroy(self->env, self->context);
    uv_close((uv_handle_t *)&self->poll, on_closed);
}

/* A worker that ends with a watch open: without this the whole process would abort in uv_loop_close. */
static void on_environment_end(napi_async_cleanup_hook_handle handle, void *data) {
    watch *self = data;
    (void)handle;
    if (!self->closing)
        release(self);
}

static void on_ready(uv_poll_t *poll, int status, int events) {
    watch *self = (watch *)poll;
    napi_handle_scope scope;
    napi_value callback, receiver, arguments[2], exception;
    napi_env env = self->env;
    if (napi_open_handle_scope(env, &scope) != napi_ok)
        return;
    /* libuv stops a handle that reports an error (netlink overflow, interface down): the owner drains the
     * socket's error in the callback, and the watch goes on. */
    if (status < 0)
        uv_poll_start(poll, self->events, on_ready);
    napi_get_reference_value(env, self->callback, &callback);
    napi_get_global(env, &receiver);
    napi_create_int32(env, status, &arguments[0]);
    napi_create_int32(env, events, &arguments[1]);
    if (napi_make_callback(env, self->context, receiver, callback, 2, arguments, NULL) ==
            napi_pending_exception &&
        napi_get_and_clear_last_exception(env, &exception) == napi_ok)
        napi_fatal_exception(env, exception);
    napi_close_handle_scope(env, scope);
}

/* NULL, with an exception pending, where the argument is not a watch that is open. */
static watch *open_watch(torii_call *call) {
    void *data = NULL;
    if (call->argc == 0 || napi_get_value_external(call->env, call->argv[0], &data) != napi_ok) {
        torii_throw(call->env, EINVAL, "watch", "the first argument is what watch() gave");
        return NULL;
    }
    watch *self = data;
    if (!self->closing)
        return self;
    torii_throw(call->env, EBADF, "watch", "the watch has ended");
    return NULL;
}

/* watch(fd, events, callback(status, events)) → handle; events: 1 readable, 2 writable. */
static napi_value poll_watch(napi_env env, napi_callback_info info) {
    torii_call call = torii_args(env, info);
    uv_loop_t *loop;
    napi_value name, handle;
    napi_valuetype type = napi_undefined;
    if (call.argc > 2)
        napi_typeof(env, call.argv[2], &type);
    if (type != napi_function)
        return torii_throw(env, EINVAL, "watch", "the third argument is a function");
    watch *self = calloc(1, sizeof *self);
    if (self == NULL)
        return torii_throw(env, ENOMEM, "watch", NULL);
    napi_get_uv_event_loop(env, &loop);
    self->env = env;
    self->events = torii_int(&call, 1);
    int result = uv_poll_init(loop, &self->poll, torii_fd(&call, 0));
    if (result < 0) {
        free(self);
        return torii_throw(env, -result, "watch", NULL);
    }
    napi_create_reference(env, call.argv[2], 1, &self->callback);
    napi_create_string_utf8(env, "torii.watch", NAPI_AUTO_LENGTH, &name);
    napi_async_init(env, NULL, name, &self->context);
    napi_add_async_cleanup_hook(env, on_environment_end, self, &self->cleanup);
    uv_poll_start(&self->poll, self->events, on_ready);
    napi_create_external(env, self, on_collected, NULL, &handle);
    return handle;
}

static napi_value poll_modify(napi_env env, napi_callback_info info) {
    torii_call call = torii_args(env, info);
    watch *self = open_watch(&call);
    if (self == NULL)
        return NULL;
    self->events = torii_int(&call, 1);
    uv_poll_start(&self->poll, self->events, on_ready);
    return torii_undefined(env);
}

/* The descriptor may be closed or handed on a tick later. */
static napi_value poll_unwatch(napi_env env, napi_callback_info info) {
    torii_call call = torii_args(env, info);
    watch *self = open_watch(&call);
    if (self == NULL)
        return NULL;
    release(self);
    return torii_undefined(env);
}

/* keep(handle, boolean): whether the watch alone keeps the process running. */
static napi_value poll_keep(napi_env env, napi_callback_info info) {
    torii_call call = torii_args(env, info);
    watch *self = open_watch(&call);
    if (self == NULL)
        return NULL;
    if (torii_bool(&call, 1))
        uv_ref((uv_handle_t *)&self->poll);
    else
        uv_unref((uv_handle_t *)&self->poll);
    return torii_undefined(env);
}

napi_value torii_register_poll(napi_env env, napi_value exports) {
    torii_export(env, exports, "watch", poll_watch);
    torii_export(env, exports, "modify", poll_modify);
    torii_export(env, exports, "unwatch", poll_unwatch);
    torii_export(env, exports, "keep", poll_keep);
    return exports;
}
