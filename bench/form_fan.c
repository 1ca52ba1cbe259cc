/* form_fan.c: a task for each job, all at once. See forms.h. */
#include "forms.h"

int
main(int argc, char **argv)
{
    return form_main(FAN, "form_fan", argc, argv);
}
