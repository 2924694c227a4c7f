/* A library that knows nothing of greenlets: blocking calls, as C makes them. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int connected(int port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
        close(fd);
        return -errno;
    }
    return fd;
}

/* Sends a number and returns what comes back, or an error below zero. */
int ask(int port, int number)
{
    int fd = connected(port), answer = 0;
    if (fd < 0)
        return fd;
    struct iovec parts[2] = { { &number, 2 }, { (char *)&number + 2, 2 } };
    if (writev(fd, parts, 2) != sizeof number)
        return -errno;
    struct pollfd wait = { .fd = fd, .events = POLLIN };
    if (poll(&wait, 1, -1) != 1)
        return -errno;
    if (recv(fd, &answer, sizeof answer, MSG_WAITALL) != sizeof answer)
        return -errno;
    close(fd);
    return answer;
}

/* Sleeps in all the ways that there are; 0 if each of them says that it has. */
int rest(int milliseconds)
{
    struct timespec time = { 0, milliseconds * 1000000L };
    struct timeval limit = { 0, milliseconds * 1000L };
    return usleep(milliseconds * 1000) | nanosleep(&time, NULL) | clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL)
        | poll(NULL, 0, milliseconds) | select(0, NULL, NULL, NULL, &limit);
}

/* Reads into an array of which the compiler knows the size, so that the checking variants are called. */
int read_checked(int fd, int len)
{
    char buffer[16];
    volatile size_t wanted = len;
    return read(fd, buffer, wanted) + recv(fd, buffer, wanted, 0) + recvfrom(fd, buffer, wanted, 0, NULL, NULL);
}

/* Runs a program whose input is a descriptor, and which has another one in place of a third. Its status, or -1. */
int run_with(int input, int replaced, int by)
{
    int status;
    pid_t child = vfork();
    if (child == 0) {
        dup2(by, replaced);
        dup2(input, 0);
        execl("/bin/sh", "sh", "-c", "read line; exit 7", (char *)NULL);
        _exit(127);
    }
    if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status))
        return -1;
    return WEXITSTATUS(status);
}

static void *reads(void *fd)
{
    char byte;
    return read(*(int *)fd, &byte, 1) == 1 ? fd : NULL;
}

/* Cancels a thread that reads. 1 if it has come to its end by that. */
int cancel_a_reader(int fd)
{
    pthread_t thread;
    void *result = NULL;
    if (pthread_create(&thread, NULL, reads, &fd) != 0)
        return -1;
    pthread_cancel(thread);
    return pthread_join(thread, &result) == 0 && result == PTHREAD_CANCELED;
}

/* Waits for a descriptor for as long as it takes, with an array whose size the compiler knows. */
int poll_checked(int fd)
{
    struct pollfd fds[2] = { { .fd = fd, .events = POLLIN }, { .fd = -1 } };
    volatile nfds_t count = 2;
    return ppoll(fds, count, NULL, NULL) == 1 ? fds[0].revents : -errno;
}
