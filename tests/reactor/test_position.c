/*
 * test_position.c - operations at a file's position take turns
 */
#include "../test.h"

#include "operation.h"
#include "position.h"

static wf_positions positions;

static weft_io at(int fd)
{
    weft_io io = {0};

    *WF_ARGS(&io, wf_place) = (wf_place){.fd = fd};
    return io;
}

Test(position, the_first_of_a_descriptor_has_its_turn)
{
    weft_io a = at(3), b = at(3), c = at(4), d = at(3 + WF_POSITION_LISTS);

    check(wf_positions_enter(&positions, &a));
    check(!wf_positions_enter(&positions, &b));
    check(wf_positions_enter(&positions, &c));
    check(wf_positions_enter(&positions, &d)); /* another descriptor in the same list */
    check_eq(wf_positions_leave(&positions, &d), NULL);
    check_eq(wf_positions_leave(&positions, &a), &b);
    check_eq(wf_positions_leave(&positions, &b), NULL);
    check_eq(wf_positions_leave(&positions, &c), NULL);
    check(wf_positions_enter(&positions, &a));
}

Test(position, turns_come_in_the_order_of_arrival)
{
    weft_io io[5];

    for (int i = 0; i < 5; i++) {
        io[i] = at(7);
        check_eq(wf_positions_enter(&positions, &io[i]), i == 0);
    }
    for (int i = 0; i < 4; i++)
        check_eq(wf_positions_leave(&positions, &io[i]), &io[i + 1]);
    check_eq(wf_positions_leave(&positions, &io[4]), NULL);
}

Test(position, one_that_waits_may_leave_and_passes_no_turn)
{
    weft_io a = at(1), b = at(1), c = at(1), other = at(1 + WF_POSITION_LISTS);

    check(wf_positions_enter(&positions, &a));
    check(wf_positions_enter(&positions, &other));
    check(!wf_positions_enter(&positions, &b));
    check(!wf_positions_enter(&positions, &c));
    check_eq(wf_positions_leave(&positions, &b), NULL);
    check_eq(wf_positions_leave(&positions, &a), &c);
    check_eq(wf_positions_leave(&positions, &c), NULL);
    check_eq(wf_positions_leave(&positions, &other), NULL);
}
