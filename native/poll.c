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
    bool ending;
} watch;

static void on_closed(uv_handle_t *handle) {
    watch *self = (watch *)handle;
    if (self->ending)
        napi_remove_async_cleanup_hook(self->cleanup);
    free(self);
}

static void release(watch *self) {
    if (self->closing)
        return;
    self->closing = true;
    napi_delete_reference(self->env, self->callback);
    napi_async_destroy(self->env, self->context);
    uv_close((uv_handle_t *)&self->poll, on_closed);
}

static void on_environment_end(napi_async_cleanup_hook_handle handle, void *data) {
    watch *self = data;
    (void)handle;
    self->ending = true;
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
        napi_pending_exception) {
        napi_get_and_clear_last_exception(env, &exception);
        napi_fatal_exception(env, exception);
    }
    napi_close_handle_scope(env, scope);
}

static watch *unwrap(torii_call *call) {
    void *self = NULL;
    napi_get_value_external(call->env, call->argv[0], &self);
    return self;
}

/* watch(fd, events, callback(status, events)) → handle; events: 1 readable, 2 writable. */
static napi_value poll_watch(napi_env env, napi_callback_info info) {
    torii_call call = torii_args(env, info);
    uv_loop_t *loop;
    napi_value name, handle;
    watch *self = calloc(1, sizeof *self);
    napi_get_uv_event_loop(env, &loop);
    self->env = env;
    self->events = torii_int(&call, 1);
    int result = uv_poll_init(loop, &self->poll, torii_int(&call, 0));
    if (result < 0) {
        free(self);
        return torii_throw(env, -result, "uv_poll_init", NULL);
    }
    napi_create_reference(env, call.argv[2], 1, &self->callback);
    napi_create_string_utf8(env, "torii.watch", NAPI_AUTO_LENGTH, &name);
    napi_async_init(env, NULL, name, &self->context);
    napi_add_async_cleanup_hook(env, on_environment_end, self, &self->cleanup);
    uv_poll_start(&self->poll, self->events, on_ready);
    napi_create_external(env, self, NULL, NULL, &handle);
    return handle;
}

static napi_value poll_modify(napi_env env, napi_callback_info info) {
    torii_call call = torii_args(env, info);
    watch *self = unwrap(&call);
    self->events = torii_int(&call, 1);
    if (!self->closing)
        uv_poll_start(&self->poll, self->events, on_ready);
    return torii_undefined(env);
}

/* After this the handle must not be used again; the descriptor may be closed or handed on a tick later. */
static napi_value poll_unwatch(napi_env env, napi_callback_info info) {
    torii_call call = torii_args(env, info);
    watch *self = unwrap(&call);
    if (!self->closing && !self->ending) {
        napi_remove_async_cleanup_hook(self->cleanup);
        release(self);
    }
    return torii_undefined(env);
}

/* keep(handle, boolean): whether the watch alone keeps the process running. */
static napi_value poll_keep(napi_env env, napi_callback_info info) {
    torii_call call = torii_args(env, info);
    watch *self = unwrap(&call);
    if (torii_int(&call, 1))
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
