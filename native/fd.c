/* File descriptors for what Node's own net module cannot ask for: MD5 keys, marks, TTL limits, netlink, raw
 * sockets. Every socket is non-blocking and close-on-exec. Structures are built in TypeScript. */
#include "napi.h"
#include <fcntl.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

static napi_value fd_socket(napi_env env, napi_callback_info info) {
    torii_call call = torii_args(env, info);
    int fd =
        socket(torii_int(&call, 0), torii_int(&call, 1) | SOCK_NONBLOCK | SOCK_CLOEXEC, torii_int(&call, 2));
    return fd < 0 ? torii_throw(env, errno, "socket", NULL) : torii_number(env, fd);
}

static napi_value fd_bind(napi_env env, napi_callback_info info) {
    torii_call call = torii_args(env, info);
    size_t length;
    uint8_t *name = torii_bytes(&call, 1, &length);
    if (bind(torii_fd(&call, 0), (struct sockaddr *)name, (socklen_t)length) < 0)
        return torii_throw(env, errno, "bind", NULL);
    return torii_undefined(env);
}

/* True when the connection is there at once, false while it is in progress. */
static napi_value fd_connect(napi_env env, napi_callback_info info) {
    torii_call call = torii_args(env, info);
    size_t length;
    uint8_t *name = torii_bytes(&call, 1, &length);
    int result = connect(torii_fd(&call, 0), (struct sockaddr *)name, (socklen_t)length);
    if (result < 0 && errno != EINPROGRESS)
        return torii_throw(env, errno, "connect", NULL);
    napi_value value;
    napi_get_boolean(env, result == 0, &value);
    return value;
}

static napi_value fd_listen(napi_env env, napi_callback_info info) {
    torii_call call = torii_args(env, info);
    if (listen(torii_fd(&call, 0), torii_int(&call, 1)) < 0)
        return torii_throw(env, errno, "listen", NULL);
    return torii_undefined(env);
}

/* The accepted descriptor, or -1 when nobody waits any more. */
static napi_value fd_accept(napi_env env, napi_callback_info info) {
    torii_call call = torii_args(env, info);
    int fd = accept4(torii_fd(&call, 0), NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0 && errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)
        return torii_throw(env, errno, "accept", NULL);
    return torii_number(env, fd);
}

static napi_value fd_close(napi_env env, napi_callback_info info) {
    torii_call call = torii_args(env, info);
    close(torii_fd(&call, 0));
    return torii_undefined(env);
}

static napi_value fd_setsockopt(napi_env env, napi_callback_info info) {
    torii_call call = torii_args(env, info);
    size_t length;
    uint8_t *value = torii_bytes(&call, 3, &length);
    if (setsockopt(torii_fd(&call, 0), torii_int(&call, 1), torii_int(&call, 2), value, (socklen_t)length) <
        0)
        return torii_throw(env, errno, "setsockopt", NULL);
    return torii_undefined(env);
}

/* Fills the array, answers the length. */
static napi_value fd_getsockopt(napi_env env, napi_callback_info info) {
    torii_call call = torii_args(env, info);
    size_t size;
    uint8_t *value = torii_bytes(&call, 3, &size);
    socklen_t length = (socklen_t)size;
    if (getsockopt(torii_fd(&call, 0), torii_int(&call, 1), torii_int(&call, 2), value, &length) < 0)
        return torii_throw(env, errno, "getsockopt", NULL);
    return torii_number(env, length);
}

typedef int (*name_function)(int, struct sockaddr *, socklen_t *);

static napi_value socket_name(napi_env env, napi_callback_info info, name_function function,
                              const char *what) {
    torii_call call = torii_args(env, info);
    size_t size;
    uint8_t *name = torii_bytes(&call, 1, &size);
    socklen_t length = (socklen_t)size;
    if (function(torii_fd(&call, 0), (struct sockaddr *)name, &length) < 0)
        return torii_throw(env, errno, what, NULL);
    return torii_number(env, length);
}

static napi_value fd_getsockname(napi_env env, napi_callback_info info) {
    return socket_name(env, info, getsockname, "getsockname");
}

static napi_value fd_getpeername(napi_env env, napi_callback_info info) {
    return socket_name(env, info, getpeername, "getpeername");
}

/* recvmsg(fd, data, name | undefined, control | undefined, lengths: Int32Array[name, control, flags]):
 * bytes received, or -errno for EAGAIN and the errors a socket reports and survives (ENOBUFS, ENETDOWN). */
static napi_value fd_recvmsg(napi_env env, napi_callback_info info) {
    torii_call call = torii_args(env, info);
    size_t data_length, name_length, control_length, count = 0;
    napi_typedarray_type type;
    int32_t *lengths = NULL;
    struct iovec data = {.iov_base = torii_bytes(&call, 1, &data_length)};
    data.iov_len = data_length;
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1};
    message.msg_name = torii_bytes(&call, 2, &name_length);
    message.msg_namelen = (socklen_t)name_length;
    message.msg_control = torii_bytes(&call, 3, &control_length);
    message.msg_controllen = control_length;
    if (napi_get_typedarray_info(env, call.argv[4], &type, &count, (void **)&lengths, NULL, NULL) !=
            napi_ok ||
        type != napi_int32_array || count < 3)
        return torii_throw(env, EINVAL, "recvmsg", "the fifth argument is an Int32Array of 3");
    ssize_t received = recvmsg(torii_fd(&call, 0), &message, 0);
    if (received < 0)
        return torii_number(env, -errno);
    lengths[0] = (int32_t)message.msg_namelen;
    lengths[1] = (int32_t)message.msg_controllen;
    lengths[2] = message.msg_flags;
    return torii_number(env, (double)received);
}

/* sendmsg(fd, data, name | undefined, control | undefined): bytes sent, or -1 when the buffer is full. */
static napi_value fd_sendmsg(napi_env env, napi_callback_info info) {
    torii_call call = torii_args(env, info);
    size_t data_length, name_length, control_length;
    struct iovec data = {.iov_base = torii_bytes(&call, 1, &data_length)};
    data.iov_len = data_length;
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1};
    message.msg_name = torii_bytes(&call, 2, &name_length);
    message.msg_namelen = (socklen_t)name_length;
    message.msg_control = torii_bytes(&call, 3, &control_length);
    message.msg_controllen = control_length;
    ssize_t sent = sendmsg(torii_fd(&call, 0), &message, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN)
        return torii_throw(env, errno, "sendmsg", NULL);
    return torii_number(env, (double)sent);
}

/* The interface's index, 0 if there is none of that name. */
static napi_value fd_ifindex(napi_env env, napi_callback_info info) {
    torii_call call = torii_args(env, info);
    char name[IF_NAMESIZE + 1];
    torii_text(&call, 0, name, sizeof name);
    return torii_number(env, if_nametoindex(name));
}

napi_value torii_register_fd(napi_env env, napi_value exports) {
    torii_export(env, exports, "socket", fd_socket);
    torii_export(env, exports, "bind", fd_bind);
    torii_export(env, exports, "connect", fd_connect);
    torii_export(env, exports, "listen", fd_listen);
    torii_export(env, exports, "accept", fd_accept);
    torii_export(env, exports, "close", fd_close);
    torii_export(env, exports, "setsockopt", fd_setsockopt);
    torii_export(env, exports, "getsockopt", fd_getsockopt);
    torii_export(env, exports, "getsockname", fd_getsockname);
    torii_export(env, exports, "getpeername", fd_getpeername);
    torii_export(env, exports, "recvmsg", fd_recvmsg);
    torii_export(env, exports, "sendmsg", fd_sendmsg);
    torii_export(env, exports, "ifindex", fd_ifindex);
    return exports;
}
