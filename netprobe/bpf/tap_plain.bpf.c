/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The taps in an object that names no kfunc. libbpf looks for a kfunc that the kernel does not have in its modules too, which it
 * must be root for, and gives the whole object up, programs that do without included. */
#define TAP_WITHOUT_KFUNCS
#include "tap.bpf.c"
