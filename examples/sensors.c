/* sensors.c: a stream of sensor readings, averaged by windows, published by MQTT; and the other end, which listens. With libmosquitto.
 *
 * Usage: sensors [HOST [PORT]]; default is localhost 1883, or MQTT_PORT. The readings come from a generator, which makes a few ahead. The
 * pipeline throws out what cannot be true, gathers windows of ten readings, or what there is after 50 ms, and publishes
 * each. libmosquitto has a thread of its own; its callbacks send to a weft channel, as any thread may. */
#include <weft.h>

#include <mosquitto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <weft/errno.h>

enum { READINGS = 45, WINDOW = 10, WINDOWS = 5, TEXT = 80 };

struct reading {
    int at;
    double celsius;
};

struct text {
    char json[TEXT];
};

struct link {
    struct mosquitto *mqtt;
    weft_chan *ready;   /* a signal: we are subscribed */
    weft_chan *arrived; /* struct text: what has come back */
    char topic[64];
};

/* ---- the sensor ---- */

static int
sensor(weft_gen *g, void *arg)
{
    (void)arg;
    for (int i = 0; i < READINGS; i++) {
        int err = weft_sleep(WEFT_MS); /* it has a pace of its own */
        struct reading r = {.at = i, .celsius = i == 17 || i == 30 ? -999 : 20 + i % 10 * 0.5}; /* and fails now and then */
        if (err || weft_gen_yield(g, &r) != 0)
            return err;
    }
    return 0;
}

/* ---- the pipeline ---- */

static int
plausible(const void *elem, void *user)
{
    const struct reading *r = elem;
    (void)user;
    return r->celsius > -90 && r->celsius < 60;
}

static int
average(const void *values, size_t n, void *out, void *user)
{
    const struct reading *r = values;
    double sum = 0;
    (void)user;
    for (size_t i = 0; i < n; i++)
        sum += r[i].celsius;
    snprintf(((struct text *)out)->json, TEXT, "{\"from\":%d,\"to\":%d,\"n\":%zu,\"mean\":%.2f}", r[0].at, r[n - 1].at, n, sum / (double)n);
    return 0;
}

static int
publish(const void *in, void *user)
{
    struct link *l = user;
    const struct text *t = in;
    int rc = mosquitto_publish(l->mqtt, NULL, l->topic, (int)strlen(t->json), t->json, 1, false);
    return rc == MOSQ_ERR_SUCCESS ? 0 : rc == MOSQ_ERR_NO_CONN ? -EAGAIN : -EIO;
}

static int
stream(struct link *l)
{
    weft_gen *g = weft_gen_new_with(sizeof(struct reading), sensor, NULL, &(weft_gen_options){.buffer = 8, .name = "sensor"});
    weft_pipeline *p = weft_pipeline_new(NULL);
    weft_pipeline_from_gen(p, g, NULL);
    weft_pipeline_filter(p, plausible, NULL);
    weft_pipeline_batch(p, sizeof(struct text), average, WINDOW, WEFT_SECOND, NULL);
    weft_pipeline_sink(p, publish, &(weft_stage_options){.user = l, .retry = &(weft_retry_options){.attempts = 5}});
    int err = weft_pipeline_run(p);
    weft_stage_stats s;
    if (!err && weft_pipeline_stats_get(p, 1, &s) == 0)
        printf("%d readings, %d of them cannot be true\n", (int)s.in, (int)s.filtered);
    weft_pipeline_free(p);
    weft_gen_free(g);
    return err;
}

/* ---- MQTT: callbacks come on libmosquitto's thread ---- */

static void
on_connect(struct mosquitto *m, void *user, int rc)
{
    struct link *l = user;
    if (rc == 0)
        mosquitto_subscribe(m, NULL, l->topic, 1);
}

static void
on_subscribe(struct mosquitto *m, void *user, int mid, int n, const int *granted)
{
    struct link *l = user;
    (void)m;
    (void)mid;
    (void)n;
    (void)granted;
    (void)weft_chan_try_send(l->ready, NULL);
}

static void
on_message(struct mosquitto *m, void *user, const struct mosquitto_message *message)
{
    struct link *l = user;
    struct text t = {{0}};
    (void)m;
    snprintf(t.json, sizeof t.json, "%.*s", message->payloadlen, (const char *)message->payload);
    (void)weft_chan_send(l->arrived, &t);
}

static int
listens(void *arg)
{
    struct link *l = arg;
    struct text t;
    int err = 0;
    for (int i = 0; i < WINDOWS && !err; i++) {
        err = weft_chan_recv_until(l->arrived, &t, weft_in(10 * WEFT_SECOND));
        if (!err)
            printf("window %s\n", t.json);
    }
    return err;
}

static int
run(void *arg)
{
    struct link *l = arg;
    int err = weft_chan_recv_until(l->ready, NULL, weft_in(10 * WEFT_SECOND));
    if (err)
        return err;
    weft_group *g = weft_group_new(NULL);
    err = weft_group_go(g, listens, l);
    if (!err)
        err = stream(l);
    if (err)
        weft_group_cancel(g, err);
    int heard = weft_group_wait(g);
    weft_group_free(g);
    return err ? err : heard;
}

int
main(int argc, char **argv)
{
    const char *port = getenv("MQTT_PORT");
    struct link l = {.ready = weft_chan_new(0, 1), .arrived = weft_chan_new(sizeof(struct text), WINDOWS)};
    int err = -EIO;
    snprintf(l.topic, sizeof l.topic, "weft/sensors/%ld", (long)getpid());
    mosquitto_lib_init();
    l.mqtt = mosquitto_new(NULL, true, &l);
    if (l.mqtt && l.ready && l.arrived) {
        mosquitto_connect_callback_set(l.mqtt, on_connect);
        mosquitto_subscribe_callback_set(l.mqtt, on_subscribe);
        mosquitto_message_callback_set(l.mqtt, on_message);
        if (mosquitto_connect(l.mqtt, argc > 1 ? argv[1] : "localhost", atoi(argc > 2 ? argv[2] : port ? port : "1883"), 30) == MOSQ_ERR_SUCCESS &&
            mosquitto_loop_start(l.mqtt) == MOSQ_ERR_SUCCESS) {
            err = weft_run(run, &l);
            mosquitto_disconnect(l.mqtt);
            mosquitto_loop_stop(l.mqtt, false);
        }
    }
    if (err)
        fprintf(stderr, "sensors: %s\n", strerror(-err));
    mosquitto_destroy(l.mqtt);
    mosquitto_lib_cleanup();
    weft_chan_free(l.ready);
    weft_chan_free(l.arrived);
    return err != 0;
}
