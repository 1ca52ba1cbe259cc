/* api_client.c: a client of a web API that behaves: no more than 200 requests a second, retries with growing pauses, a circuit breaker that
 * spares a service in trouble. The HTTP is libcurl's, driven by weft_fd_wait(): eight requests at a time, each a task that looks as if it
 * blocked.
 *
 * The service is in this file too, on a local port. It fails on purpose: every fifth request gets a 503, and in the middle it is down for
 * 150 ms. All the same every item arrives, and the service is not hammered. */
#include <curl/curl.h>
#include <weft.h>

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <weft/errno.h>

enum { ITEMS = 60, AT_A_TIME = 8, RATE = 200, BURST = 10, OUTAGE_AT = 30 };
#define OUTAGE (150 * WEFT_MS)

/* ---- the service ---- */

static int listener, port;
static int requests, delivered[ITEMS]; /* atomic */
static weft_time outage_ends;          /* atomic */

static const char *
answer_to(const char *request)
{
    int item = -1, n = __atomic_add_fetch(&requests, 1, __ATOMIC_RELAXED);
    if (n == OUTAGE_AT)
        __atomic_store_n(&outage_ends, weft_in(OUTAGE), __ATOMIC_RELAXED);
    if (n % 5 == 0 || weft_now() < __atomic_load_n(&outage_ends, __ATOMIC_RELAXED))
        return "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    if (sscanf(request, "GET /item/%d ", &item) != 1 || item < 0 || item >= ITEMS)
        return "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    __atomic_add_fetch(&delivered[item], 1, __ATOMIC_RELAXED);
    return "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";
}

static int
serve(void *arg)
{
    int fd = (int)(intptr_t)arg;
    char request[2048];
    size_t have = 0;
    ssize_t n = 1;
    while (n > 0 && have < sizeof request - 1) {
        n = weft_fd_read(fd, request + have, sizeof request - 1 - have, weft_in(WEFT_SECOND));
        have += n > 0 ? (size_t)n : 0;
        request[have] = '\0';
        if (strstr(request, "\r\n\r\n")) {
            const char *answer = answer_to(request);
            weft_fd_write(fd, answer, strlen(answer), weft_in(WEFT_SECOND));
            break;
        }
    }
    return weft_fd_close(fd);
}

static int
accepts(void *arg)
{
    (void)arg;
    while (weft_fd_wait(listener, WEFT_READABLE, WEFT_NEVER) > 0) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0 && weft_go(serve, (void *)(intptr_t)fd) != 0)
            weft_fd_close(fd);
    }
    return 0;
}

static int
start_service(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&at, size) != 0 || listen(listener, 64) != 0 ||
        getsockname(listener, (struct sockaddr *)&at, &size) != 0)
        return -errno;
    port = ntohs(at.sin_port);
    return weft_go(accepts, NULL);
}

/* ---- one HTTP request: libcurl says what it waits for, we wait ---- */

struct transfer {
    CURLM *multi;
    curl_socket_t fd; /* CURL_SOCKET_BAD: none */
    int wants;        /* CURL_POLL_... */
    weft_time timer;  /* when curl wants to be called anyway */
};

static int
on_socket(CURL *easy, curl_socket_t fd, int what, void *user, void *per_socket)
{
    struct transfer *t = user;
    (void)easy;
    (void)per_socket;
    t->fd = what == CURL_POLL_REMOVE ? CURL_SOCKET_BAD : fd;
    t->wants = what;
    return 0;
}

static int
on_timer(CURLM *multi, long ms, void *user)
{
    (void)multi;
    ((struct transfer *)user)->timer = ms < 0 ? WEFT_NEVER : weft_in(ms * WEFT_MS);
    return 0;
}

static int on_close(void *user, curl_socket_t fd) { (void)user; return weft_fd_close(fd); }
static size_t on_data(char *data, size_t size, size_t n, void *user) { (void)data; (void)user; return size * n; }

/** Until curl is done with it, or our context ends. */
static int
drive(struct transfer *t)
{
    int running = 1, err = 0;
    curl_multi_socket_action(t->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    while (running && !(err = weft_ctx_err(weft_ctx_current()))) {
        unsigned wants = (t->wants & CURL_POLL_IN ? WEFT_READABLE : 0) | (t->wants & CURL_POLL_OUT ? WEFT_WRITABLE : 0);
        int got = t->fd != CURL_SOCKET_BAD ? weft_fd_wait(t->fd, wants, t->timer) : weft_sleep(t->timer - weft_now());
        if (got > 0)
            curl_multi_socket_action(t->multi, t->fd, (got & WEFT_READABLE ? CURL_CSELECT_IN : 0) | (got & WEFT_WRITABLE ? CURL_CSELECT_OUT : 0), &running);
        else
            curl_multi_socket_action(t->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    }
    return err;
}

static int
get(CURL *easy)
{
    struct transfer t = {.multi = curl_multi_init(), .fd = CURL_SOCKET_BAD, .timer = WEFT_NEVER};
    if (!t.multi)
        return -ENOMEM;
    curl_multi_setopt(t.multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(t.multi, CURLMOPT_SOCKETDATA, &t);
    curl_multi_setopt(t.multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(t.multi, CURLMOPT_TIMERDATA, &t);
    curl_multi_add_handle(t.multi, easy);
    int err = drive(&t), left;
    CURLMsg *done = err ? NULL : curl_multi_info_read(t.multi, &left);
    long status = 0;
    if (!err)
        err = done && done->data.result == CURLE_OK ? 0 : -EIO;
    if (!err)
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    curl_multi_remove_handle(t.multi, easy);
    curl_multi_cleanup(t.multi);
    return err ? err : status == 200 ? 0 : status == 503 ? -EBUSY : -ENOENT;
}

static int
fetch(void *arg)
{
    char url[64];
    CURL *easy = curl_easy_init();
    if (!easy)
        return -ENOMEM;
    snprintf(url, sizeof url, "http://127.0.0.1:%d/item/%d", port, (int)(intptr_t)arg);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close);
    int err = get(easy);
    curl_easy_cleanup(easy);
    return err;
}

/* ---- the client ---- */

static weft_rate *rate;
static weft_breaker *breaker;

static bool is_temporary(int err, void *user) { (void)user; return err != -ENOENT; }

/** The rate is asked inside the breaker: what it refuses costs no token. */
static int
fetch_in_time(void *item)
{
    int err = weft_rate_wait(rate, 1);
    return err ? err : fetch(item);
}

static int attempt(void *item) { return weft_breaker_do(breaker, fetch_in_time, item); }

static int
wants(void *item)
{
    static const weft_retry_options patient = {.attempts = 50, .delay = 10 * WEFT_MS, .max_delay = 100 * WEFT_MS, .timeout = 2 * WEFT_SECOND, .again = is_temporary};
    return weft_retry(&patient, attempt, item);
}

static int
run(void *arg)
{
    (void)arg;
    rate = weft_rate_new(&(weft_rate_options){.tokens = RATE, .burst = BURST});
    breaker = weft_breaker_new(&(weft_breaker_options){.failures = 4, .open = 40 * WEFT_MS});
    weft_group *g = weft_group_new(&(weft_group_options){.limit = AT_A_TIME});
    if (!rate || !breaker || !g)
        return -ENOMEM;
    weft_time start = weft_now();
    int err = start_service(), complete = 0;
    for (intptr_t i = 0; i < ITEMS && !err; i++)
        err = weft_group_go(g, wants, (void *)i);
    if (!err)
        err = weft_group_wait(g);
    weft_time took = weft_now() - start;
    for (int i = 0; i < ITEMS; i++)
        complete += delivered[i] == 1;
    weft_breaker_stats s;
    weft_breaker_stats_get(breaker, &s);
    printf("%d of %d items, each delivered once\n", complete, ITEMS);
    printf("no more than %d requests a second: %s\n", RATE, requests <= BURST + RATE * took / WEFT_SECOND + 1 ? "yes" : "no");
    printf("the breaker opened: %s, and spared the service calls: %s\n", s.opened ? "yes" : "no", s.refused ? "yes" : "no");
    weft_group_free(g);
    weft_fd_close(listener);
    weft_breaker_free(breaker);
    weft_rate_free(rate);
    return err;
}

int
main(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT); /* before there are threads */
    int err = weft_run(run, NULL);
    curl_global_cleanup();
    return err ? 1 : 0;
}
