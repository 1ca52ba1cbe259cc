/* world.h: one schedule of a simulation, from its first task to its last. */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "sim/strategy.h"

#include <weft/sim.h>

enum { WORLD_TEXT = 160, WORLD_NAME = 32 };

/* What stays the same over all schedules of a simulation. */
struct world_rules {
    char name[WORLD_NAME];
    weft_fn fn;
    void *arg;
    uint64_t max_steps;
    bool clock_races;
    enum weft_sim_leaks leaks;
    int64_t grace;
};

struct outcome {
    enum weft_sim_failure failure;
    int value;
    char text[WORLD_TEXT];
    uint64_t hash; /* of everything that was chosen */
    uint64_t steps;
};

enum world_voice { WORLD_SILENT, WORLD_REPORT, WORLD_STEPS };

/** 0 | -errno as weft_sim_run(). */
int world_open(const struct world_rules *rules, size_t stack_size);
/** Run one schedule. What was decided stands in s->path then. 0 | -ENOMEM. */
int world_play(struct strategy *s, enum world_voice voice, struct outcome *out);
void world_close(void);

#endif
