/* form_each.c: bounded parallelism, 8 at a time. See forms.h. */
#include "forms.h"

int
main(int argc, char **argv)
{
    return form_main(EACH, "form_each", argc, argv);
}
