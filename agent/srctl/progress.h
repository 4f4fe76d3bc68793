/* SPDX-License-Identifier: Apache-2.0 */
/* How far long work is, as one line at the bottom of a terminal that is drawn over itself. On the standard error alone: what is
 * printed as a result stays the same with and without it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct progress_at {
	const char *what; /* is done; ASCII. Borrowed, as is `note` */
	uint64_t done;    /* of `total`, in any unit */
	uint64_t total;   /* 0: not known, or nothing to count */
	uint64_t from;    /* of `done`, what was done before the time that is counted: it tells nothing about the rate */
	bool bytes;       /* the unit is a byte: amount and rate are told, too */
	const char *note; /* "12 flows"; NULL: none */
};

struct progress {
	uint64_t begun_us, drawn_us; /* of clock_us(); drawn_us 0: nothing is on the terminal */
	bool on;
};

/* Writes the line for a terminal of `width` columns after `elapsed_us` of work into `out`, at most width - 1 columns, without escape
 * sequences or an end of line: name, bar, percentage, amount, rate, time left, note; without a total neither bar nor percentage, and the
 * time so far instead of the time left. What does not fit is left out whole. Below 40 columns there is neither name nor bar. Returns the
 * length; `out` always ends in a NUL when size is not 0. */
size_t progress_line(char *out, size_t size, unsigned width, const struct progress_at *at, uint64_t elapsed_us);

/* Begins to count the time. Nothing is ever drawn when `quiet` (--json), when the standard error is no terminal, or when TERM is not set
 * or "dumb". Nothing is owned: there is nothing to free. */
void progress_begin(struct progress *p, bool quiet);

/* Whether it is time to draw: half a second after the beginning for the first time, then ten times a second at most. So that a caller in a
 * loop need not find out before how far it is. */
bool progress_due(const struct progress *p);

/* Draws the line over the one before. */
void progress_draw(struct progress *p, const struct progress_at *at);

/* Takes the line off the terminal, when there is one: before anything else is printed, and at the end. The next progress_draw draws it
 * again. */
void progress_clear(struct progress *p);
