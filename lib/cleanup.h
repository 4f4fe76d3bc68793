/* SPDX-License-Identifier: Apache-2.0 */
/* Resources that release themselves when they go out of scope, so that an early return is always right. */
#pragma once

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_freep(void *p)
{
	free(*(void **)p);
}

static inline void cleanup_closep(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void cleanup_fclosep(FILE **f)
{
	if (*f)
		fclose(*f);
}

static inline void cleanup_closedirp(DIR **d)
{
	if (*d)
		closedir(*d);
}

#define _cleanup_(f)      __attribute__((cleanup(f)))
#define _cleanup_free_    _cleanup_(cleanup_freep)
#define _cleanup_close_   _cleanup_(cleanup_closep)
#define _cleanup_fclose_  _cleanup_(cleanup_fclosep)
#define _cleanup_closedir_ _cleanup_(cleanup_closedirp)

/* Hands a descriptor or pointer out of its cleanup scope. */
static inline int steal_fd(int *fd)
{
	int r = *fd;

	*fd = -1;
	return r;
}

/* A stream on a descriptor, which it takes; NULL leaves the descriptor with its owner. */
static inline FILE *fdopen_steal(int *fd, const char *mode)
{
	FILE *f = *fd < 0 ? NULL : fdopen(*fd, mode);

	if (f)
		*fd = -1;
	return f;
}

static inline DIR *fdopendir_steal(int *fd)
{
	DIR *d = *fd < 0 ? NULL : fdopendir(*fd);

	if (d)
		*fd = -1;
	return d;
}

#define steal_ptr(pp)                           \
	({                                      \
		__typeof__(pp) pp_ = (pp);      \
		__typeof__(*pp_) p_ = *pp_;     \
		*pp_ = NULL;                    \
		p_;                             \
	})
