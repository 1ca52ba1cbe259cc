/* A plain thread that could wake a task is never overlooked: not even while weft is making a thread of its own.
 *
 * The linker sends pthread_create through __wrap_pthread_create, which lets a thread of the library wait before it is made, and close through
 * __wrap_close, which lets the library wait between its count of threads and its look at the tasks. */
#include "support/check.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int __real_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*fn)(void *), void *arg);
int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*fn)(void *), void *arg);

static int hold; /* atomic: 1: the next thread is made late; 2: it is being made */
static sem_t being_made, may_be_made;
static weft_event done = WEFT_EVENT_INIT;

int
__wrap_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*fn)(void *), void *arg)
{
    int one = 1;
    if (__atomic_compare_exchange_n(&hold, &one, 2, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
        sem_post(&being_made);
        while (sem_wait(&may_be_made) != 0)
            ;
    }
    return __real_pthread_create(t, a, fn, arg);
}

/** Let the worker be made only once every task has waited for a while, then wake the one that waits. */
static void *
plain(void *arg)
{
    (void)arg;
    struct timespec some = {.tv_nsec = 50 * 1000000}; /* for the supervisor to look, if it will: with it or without, the test holds */
    nanosleep(&some, NULL);
    sem_post(&may_be_made);
    nanosleep(&some, NULL);
    weft_event_set(&done);
    return NULL;
}

static int
nothing(void *arg)
{
    (void)arg;
    return 0;
}

/** Keep the worker until another is being made for it. */
static int
blocks(void *arg)
{
    (void)arg;
    CHECK_INT(weft_go(nothing, NULL), ==, 0); /* work that waits: the monitor adds a worker */
    while (sem_wait(&being_made) != 0)
        ;
    return 0;
}

static int
first(void *arg)
{
    pthread_t t;
    (void)arg;
    CHECK_INT(__real_pthread_create(&t, NULL, plain, NULL), ==, 0); /* the run counts it as not its own */
    __atomic_store_n(&hold, 1, __ATOMIC_RELEASE);
    CHECK_INT(blocks(NULL), ==, 0);
    int err = weft_event_wait(&done);
    pthread_join(t, NULL);
    return err;
}

static void
a_thread_in_the_making_hides_nobody(void **state)
{
    (void)state;
    assert_int_equal(sem_init(&being_made, 0, 0), 0);
    assert_int_equal(sem_init(&may_be_made, 0, 0), 0);
    in_run(first, NULL);
}

/* ---- a thread that a task has made since the threads were counted ---- */

int __real_close(int fd);
int __wrap_close(int fd);

static int count_waits; /* atomic: 1: whoever counts threads next waits then */
static sem_t counted, may_look;

int
__wrap_close(int fd)
{
    int one = 1;
    char link[64], path[256] = "";
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    bool status = n > 7 && strcmp(path + n - 7, "/status") == 0 && !strstr(path, "/task/");
    if (status && __atomic_compare_exchange_n(&count_waits, &one, 2, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
        sem_post(&counted);
        while (sem_wait(&may_look) != 0)
            ;
    }
    return __real_close(fd);
}

/** The look may go on once every task has waited for a while, as far as this can be known; then wake the one that waits. */
static void *
made_late(void *arg)
{
    (void)arg;
    struct timespec some = {.tv_nsec = 50 * 1000000}; /* with it or without, the test holds */
    nanosleep(&some, NULL);
    sem_post(&may_look);
    nanosleep(&some, NULL);
    weft_event_set(&done);
    return NULL;
}

static int
makes_one(void *arg)
{
    pthread_t t;
    (void)arg;
    while (sem_wait(&counted) != 0)
        ;
    CHECK_INT(__real_pthread_create(&t, NULL, made_late, NULL), ==, 0);
    int err = weft_event_wait(&done);
    pthread_join(t, NULL);
    return err;
}

static void
a_thread_made_after_the_count_is_seen(void **state)
{
    (void)state;
    assert_int_equal(sem_init(&counted, 0, 0), 0);
    assert_int_equal(sem_init(&may_look, 0, 0), 0);
    weft_event_init(&done);
    __atomic_store_n(&count_waits, 1, __ATOMIC_RELEASE);
    in_run(makes_one, NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_thread_in_the_making_hides_nobody), cmocka_unit_test(a_thread_made_after_the_count_is_seen)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
