/* Preloaded into a process that a test watches: writes down which files it has synced and renamed, and what it sends, one line
 * each, in the order in which it happened. A sync or a rename counts when it has succeeded, what is sent when it begins to be
 * sent: a sync that stands above an answer had ended before anybody could read that answer. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { PATH = 1024, LINE = 8192, PAYLOAD = 4096 };

static int record = -1;

__attribute__((constructor)) static void begin(void) {
    const char *to = getenv("RECORD_CALLS_TO");
    if (to) record = open(to, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
}

/* One write, so that lines of several threads do not mix. Not by write(), which is one of those that are watched. */
static void put(const char *line, int length) {
    if (record >= 0 && length > 0) syscall(SYS_write, record, line, (size_t)(length < LINE ? length : LINE - 1));
}

static void put_sync(const char *name, int fd) {
    char link[64], path[PATH], line[LINE];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    path[length < 0 ? 0 : length] = 0;
    put(line, snprintf(line, sizeof line, "%s(<%s>)\n", name, path));
}

static void put_rename(const char *from, const char *to) {
    char line[LINE];
    put(line, snprintf(line, sizeof line, "rename(\"%s\", \"%s\")\n", from, to));
}

static void put_sent(const struct iovec *pieces, size_t count) {
    char line[LINE];
    int at = snprintf(line, sizeof line, "send(\"");
    int end = at + PAYLOAD;
    for (size_t i = 0; i < count; i++) {
        const char *bytes = pieces[i].iov_base;
        for (size_t n = 0; n < pieces[i].iov_len && at < end; n++) {
            line[at++] = bytes[n] >= ' ' && bytes[n] <= '~' ? bytes[n] : '.';
        }
    }
    memcpy(line + at, "\")\n", 3);
    put(line, at + 3);
}

static int is_socket(int fd) {
    struct stat found;
    return fstat(fd, &found) == 0 && S_ISSOCK(found.st_mode);
}

/* The function of this name that would have been called without this library. */
#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int fsync(int fd) {
    int done = NEXT(fsync)(fd);
    if (done == 0) put_sync("fsync", fd);
    return done;
}

int fdatasync(int fd) {
    int done = NEXT(fdatasync)(fd);
    if (done == 0) put_sync("fdatasync", fd);
    return done;
}

int rename(const char *from, const char *to) {
    int done = NEXT(rename)(from, to);
    if (done == 0) put_rename(from, to);
    return done;
}

ssize_t write(int fd, const void *bytes, size_t length) {
    struct iovec piece = {(void *)bytes, length};
    if (is_socket(fd)) put_sent(&piece, 1);
    return NEXT(write)(fd, bytes, length);
}

ssize_t writev(int fd, const struct iovec *pieces, int count) {
    if (is_socket(fd)) put_sent(pieces, (size_t)count);
    return NEXT(writev)(fd, pieces, count);
}

ssize_t send(int fd, const void *bytes, size_t length, int flags) {
    struct iovec piece = {(void *)bytes, length};
    put_sent(&piece, 1);
    return NEXT(send)(fd, bytes, length, flags);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
    put_sent(message->msg_iov, message->msg_iovlen);
    return NEXT(sendmsg)(fd, message, flags);
}
