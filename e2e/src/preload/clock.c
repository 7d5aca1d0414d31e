/* Preloaded into a process whose clock a test sets: the time of day is so many seconds ahead as the file says that it is told of,
 * read anew each time. Monotonic clocks and the times of files stay true. It asks the kernel directly and allocates nothing, so it also
 * serves allocators that ask for the time before anything is set up (jemalloc in Redis). */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* A copy: servers write their titles over the environment. */
static char place[4096];

__attribute__((constructor)) static void begin(void) {
    const char *told = getenv("CLOCK_AHEAD");
    if (told) strncpy(place, told, sizeof place - 1);
}

static long ahead(void) {
    char text[32] = {0};
    int before = errno;
    if (place[0]) {
        int fd = (int)syscall(SYS_openat, AT_FDCWD, place, O_RDONLY | O_CLOEXEC);
        if (fd >= 0) {
            if (syscall(SYS_read, fd, text, sizeof text - 1) < 0) text[0] = 0;
            syscall(SYS_close, fd);
        }
    }
    errno = before;
    return strtol(text, NULL, 10);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int done = (int)syscall(SYS_clock_gettime, clock, now);
    if (done == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += ahead();
    return done;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec found;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &found) == 0) {
        now->tv_sec = found.tv_sec;
        now->tv_usec = found.tv_nsec / 1000;
    }
    return 0;
}

time_t time(time_t *now) {
    struct timespec found = {0, 0};
    clock_gettime(CLOCK_REALTIME, &found);
    if (now) *now = found.tv_sec;
    return found.tv_sec;
}

int timespec_get(struct timespec *now, int base) {
    return base == TIME_UTC && clock_gettime(CLOCK_REALTIME, now) == 0 ? base : 0;
}
