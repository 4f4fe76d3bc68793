/* SPDX-License-Identifier: Apache-2.0 */
#include "netprobe/fingerprint/message.h"

typedef Serviceradar__Agent__Netprobe__V1__LicenseCleanFingerprint Fingerprint;
typedef Serviceradar__Agent__Netprobe__V1__FingerprintMatch Match;

/* Messages are not written to, but protobuf-c has no const strings. */
static char *lend(const char *s)
{
	return s ? (char *)(uintptr_t)s : (char *)(uintptr_t)"";
}

static Match *lend_hint(const struct client_hint *h, Match *m)
{
	if (!h)
		return NULL;
	serviceradar__agent__netprobe__v1__fingerprint_match__init(m);
	m->name = lend(h->name);
	m->version_range = lend(h->version_range);
	m->os_family = lend(h->os_family);
	return m;
}

static void set_p0f(const struct fuse_input *in, struct fingerprint_message *out)
{
	serviceradar__agent__netprobe__v1__p0f_fingerprint_match__init(&out->p0f);
	if (!in->p0f || !in->p0f->found)
		return;
	out->p0f.label = lend(in->p0f->label);
	out->p0f.name = lend(in->p0f->name);
	out->p0f.version_flavor = lend(in->p0f->flavor);
	out->p0f.os_family = lend(in->p0f->os_family);
	out->message.p0f_match = &out->p0f;
}

static void set_os(const struct fuse_result *r, struct fingerprint_message *out)
{
	serviceradar__agent__netprobe__v1__os_match__init(&out->os);
	if (!*r->os_family)
		return;
	out->os.name = lend(r->name);
	out->os.version_range = lend(r->version_range);
	out->os.os_family = lend(r->os_family);
	out->os.confidence = r->confidence;
	for (unsigned i = 0; i < r->disagreements; i++) {
		Serviceradar__Agent__Netprobe__V1__FingerprintDisagreement *d = &out->disagreement[i];

		serviceradar__agent__netprobe__v1__fingerprint_disagreement__init(d);
		d->signal = lend(r->disagreement[i].signal);
		d->signature = lend(r->disagreement[i].signature);
		d->observed_family = lend(r->disagreement[i].family);
		d->observed_name = lend(r->disagreement[i].name);
		d->version_range = lend(r->disagreement[i].version_range);
		out->disagreements[i] = d;
	}
	out->os.n_disagreements = r->disagreements;
	out->os.disagreements = out->disagreements;
	out->message.os_match = &out->os;
}

void fingerprint_device_message(const struct fuse_input *seen, const struct fuse_input *device,
				struct fingerprint_message *out)
{
	Fingerprint *m = &out->message;
	struct fuse_result result;

	fuse(device, &result);
	serviceradar__agent__netprobe__v1__license_clean_fingerprint__init(m);
	m->p0f_signature = lend(seen->p0f_signature);
	m->ja4 = lend(seen->ja4);
	m->hassh = lend(seen->hassh);
	m->hassh_server = lend(seen->hassh_server);
	m->ja4_match = lend_hint(seen->ja4_hint, &out->ja4);
	m->hassh_match = lend_hint(seen->hassh_hint ? seen->hassh_hint : seen->hassh_server_hint, &out->hassh);
	m->tcp_observed = *m->p0f_signature != '\0';
	m->ja4_observed = *m->ja4 != '\0';
	m->hassh_observed = *m->hassh || *m->hassh_server;
	m->ssh_observed = m->hassh_observed;
	m->agreement_count = result.agreement_count;
	set_p0f(seen, out);
	set_os(&result, out);
}

void fingerprint_message(struct fuse_input *in, struct fingerprint_message *out)
{
	fuse_look_up(in);
	fingerprint_device_message(in, in, out);
}
