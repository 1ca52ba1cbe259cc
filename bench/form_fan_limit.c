/* form_fan_limit.c: a task for each job, 8 at a time. See forms.h. */
#include "forms.h"

int
main(int argc, char **argv)
{
    return form_main(FAN_LIMIT, "form_fan_limit", argc, argv);
}
