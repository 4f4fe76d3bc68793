/* SPDX-License-Identifier: Apache-2.0 */
#include "netprobe/capture_filter.h"

#include <dlfcn.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/cleanup.h"
#include "netprobe/link.h"

#define PROLOGUE 4 /* instructions before the program proper, when only one way is wanted */
#define MAXIMUM  (BPF_MAXINSNS - PROLOGUE)

#define EXPRESSION SERVICERADAR__AGENT__NETPROBE__V1__START_REMOTE_CAPTURE__FILTER_FILTER_EXPRESSION
#define PROGRAM    SERVICERADAR__AGENT__NETPROBE__V1__START_REMOTE_CAPTURE__FILTER_FILTER_BPF

const char *capture_expression(const CaptureRequest *request)
{
	return request->filter_case == EXPRESSION ? request->filter_expression : NULL;
}

/* `why` may quote the filter, and becomes a protobuf string: printable ASCII then. */
static int invalid(const char **code, struct error *err, const char *why)
{
	char text[256];
	size_t n = 0;

	for (; why[n] && n < sizeof(text) - 1; n++)
		text[n] = why[n] >= ' ' && why[n] <= '~' ? why[n] : '?';
	text[n] = '\0';
	*code = "capture_filter_invalid";
	return error_set(err, -EINVAL, "the filter: %s", text);
}

/* ---- libpcap, opened when an expression has to be compiled: pcap_compile(3PCAP) ---- */

struct pcap_program {
	unsigned length;
	struct sock_filter *instructions; /* struct bpf_insn has the same layout */
};

struct libpcap {
	void *handle;
	void *(*open_dead)(int link_type, int snaplen);
	void (*close)(void *pcap);
	int (*compile)(void *pcap, struct pcap_program *out, const char *expression, int optimize, uint32_t netmask);
	void (*freecode)(struct pcap_program *p);
	char *(*geterr)(void *pcap);
};

static void libpcap_close(struct libpcap *l)
{
	if (l->handle)
		dlclose(l->handle);
}

static int libpcap_open(struct libpcap *l, const char **code, struct error *err)
{
	l->handle = dlopen("libpcap.so.1", RTLD_NOW | RTLD_LOCAL); /* its soname where upstream's is kept */
	if (!l->handle)
		l->handle = dlopen("libpcap.so.0.8", RTLD_NOW | RTLD_LOCAL); /* Debian's */
	if (l->handle) {
		*(void **)&l->open_dead = dlsym(l->handle, "pcap_open_dead");
		*(void **)&l->close = dlsym(l->handle, "pcap_close");
		*(void **)&l->compile = dlsym(l->handle, "pcap_compile");
		*(void **)&l->freecode = dlsym(l->handle, "pcap_freecode");
		*(void **)&l->geterr = dlsym(l->handle, "pcap_geterr");
	}
	if (l->handle && l->open_dead && l->close && l->compile && l->freecode && l->geterr)
		return 0;
	*code = "capture_unavailable";
	(void)error_set(err, -ENOENT, "a filter expression needs libpcap (package libpcap0.8, libpcap0.8t64 or libpcap); without a filter, or "
				      "with BPF instructions, a capture works");
	return -ENOENT;
}

/* 0x…/32: what "broadcast" of IPv4 would need is not known for an interface that is not opened; libpcap says so itself. */
#define NETMASK_UNKNOWN 0xffffffffu

static int compile(const char *expression, int link_type, uint32_t snaplen, size_t before, struct sock_filter **out, unsigned *length,
		   const char **code, struct error *err)
{
	_cleanup_(libpcap_close) struct libpcap l = { .handle = NULL };
	struct pcap_program program = { .length = 0 };
	void *pcap;
	int r = libpcap_open(&l, code, err);

	if (r < 0)
		return r;
	pcap = l.open_dead(link_type == LINKTYPE_RAW ? LINKTYPE_DLT_RAW : link_type, (int)snaplen);
	if (!pcap)
		return -ENOMEM;
	if (l.compile(pcap, &program, expression, 1, NETMASK_UNKNOWN) < 0)
		r = invalid(code, err, l.geterr(pcap));
	else if (program.length > MAXIMUM)
		r = invalid(code, err, "compiles to more instructions than the kernel takes");
	if (r == 0)
		*out = calloc(before + program.length, sizeof(**out));
	if (r == 0 && *out && program.instructions) {
		memcpy(*out + before, program.instructions, program.length * sizeof(**out));
		*length = program.length;
	}
	if (program.instructions)
		l.freecode(&program);
	l.close(pcap);
	return r;
}

static int take(const Serviceradar__Agent__Netprobe__V1__BpfProgram *p, size_t before, struct sock_filter **out, unsigned *length,
		const char **code, struct error *err)
{
	if (p->n_instructions == 0 || p->n_instructions > MAXIMUM)
		return invalid(code, err, p->n_instructions ? "more instructions than the kernel takes" : "no instructions");
	*out = calloc(before + p->n_instructions, sizeof(**out));
	if (!*out)
		return -ENOMEM;
	for (size_t i = 0; i < p->n_instructions; i++) {
		const Serviceradar__Agent__Netprobe__V1__BpfInstruction *in = p->instructions[i];

		if (in->code > UINT16_MAX || in->jt > UINT8_MAX || in->jf > UINT8_MAX || in->k < INT32_MIN || in->k > (int64_t)UINT32_MAX) {
			*code = "capture_filter_invalid";
			return error_set(err, -EINVAL, "filter_bpf.instructions[%zu]: a value out of the range of classic BPF", i);
		}
		(*out)[before + i] = (struct sock_filter){ (uint16_t)in->code, (uint8_t)in->jt, (uint8_t)in->jf, (uint32_t)in->k };
	}
	*length = (unsigned)p->n_instructions;
	return 0;
}

/* The kernel's own check of the program, on a socket that no packet comes to. */
static int check(const struct sock_fprog *p, const char **code, struct error *err)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return error_set(err, -errno, "the filter: cannot be checked: %s", strerror(errno));
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, p, sizeof(*p)) < 0)
		return invalid(code, err, errno == EINVAL ? "the kernel refuses the instructions" : strerror(errno));
	return 0;
}

static void set_prologue(struct sock_filter *f, enum capture_pass pass)
{
	const struct sock_filter one_way[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_PKTTYPE)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OUTGOING, pass == CAPTURE_PASS_OUTGOING, pass != CAPTURE_PASS_OUTGOING),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_LD | BPF_IMM, 0),
	};

	_Static_assert(sizeof(one_way) == PROLOGUE * sizeof(*f), "the room that is left for it");
	memcpy(f, one_way, sizeof(one_way));
}

int capture_filter(const CaptureRequest *request, int link_type, uint32_t snaplen, enum capture_pass pass, struct sock_fprog *program,
		   const char **code, struct error *err)
{
	_cleanup_free_ struct sock_filter *f = NULL;
	const char *expression = capture_expression(request);
	size_t before = pass == CAPTURE_PASS_ALL ? 0 : PROLOGUE;
	unsigned length = 0;
	int r = 0;

	if (expression && strnlen(expression, CAPTURE_EXPRESSION_MAX + 1) > CAPTURE_EXPRESSION_MAX)
		return invalid(code, err, "longer than 4096 bytes");
	if (expression && *expression) {
		r = compile(expression, link_type, snaplen, before, &f, &length, code, err);
	} else if (expression) {
		f = calloc(before + 1, sizeof(*f));
		if (!f)
			return -ENOMEM;
		f[before] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, UINT32_MAX);
		length = 1;
	} else if (request->filter_case == PROGRAM) {
		r = take(request->filter_bpf, before, &f, &length, code, err);
	} else {
		*code = "capture_no_filter";
		return error_set(err, -EINVAL, "no filter is set; an empty expression takes every packet");
	}
	if (r < 0 || !f)
		return r < 0 ? r : -ENOMEM;
	if (before)
		set_prologue(f, pass);
	*program = (struct sock_fprog){ .len = (unsigned short)(before + length), .filter = f };
	f = NULL; /* handed over */
	r = check(program, code, err);
	if (r < 0) {
		free(program->filter);
		program->filter = NULL;
	}
	return r;
}
