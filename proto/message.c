/* message.c: packing and reading of headers, made from the field lists. */
#include "proto/message.h"

#include "xcluster.h"

static const struct message_info infos[] = {
#define INFO(name, number, senders, frames) [number] = { #name, senders, frames },
	MESSAGES(INFO)
#undef INFO
};

#define COUNT(type, name) +1

static const unsigned char field_counts[] = {
#define FIELD_COUNT(name, number, senders, frames) [number] = 0 FIELDS_##name(COUNT),
	MESSAGES(FIELD_COUNT)
#undef FIELD_COUNT
};

const struct message_info *message_info(uint64_t type)
{
	if (type >= sizeof infos / sizeof infos[0] || !infos[type].name)
		return NULL;
	return &infos[type];
}

bool message_is_counted(uint64_t type)
{
	switch (type) {
	case MSG_DONE:
	case MSG_TAKE:
	case MSG_TAKEN:
	case MSG_INTERRUPT:
	case MSG_DOWN:
	case MSG_STOP:
	case MSG_HOLD:
	case MSG_DROP:
	case MSG_PEERS:
	case MSG_KILL:
	case MSG_RETIRE:
	case MSG_LOCATE:
	case MSG_LOCATED:
	case MSG_STORED:
	case MSG_FREED:
	case MSG_DATAPORT:
		return true;
	default:
		return false;
	}
}

uint64_t message_type(struct reader *r, const void *header, size_t size)
{
	uint64_t type;
	uint32_t count;

	reader_init(r, header, size);
	count = get_array(r);
	type = get_u64(r);
	if (r->bad || !message_info(type) || count != 1u + field_counts[type])
		return 0;
	return type;
}

#define PUT(type, name) put_##type(&w, m->name);
#define GET(type, name) m->name = get_##type(r);

#define DEFINE(upper, lower)                                                                       \
	size_t msg_##lower##_pack(void *buffer, size_t size, const struct msg_##lower *m)          \
	{                                                                                          \
		struct writer w;                                                                   \
                                                                                                   \
		writer_init(&w, buffer, size);                                                     \
		put_array(&w, 1 FIELDS_##upper(COUNT));                                            \
		put_u64(&w, MSG_##upper);                                                          \
		FIELDS_##upper(PUT) return w.bad ? 0 : w.used;                                     \
	}                                                                                          \
                                                                                                   \
	int msg_##lower##_get(struct reader *r, struct msg_##lower *m)                             \
	{                                                                                          \
		FIELDS_##upper(GET) return reader_is_done(r) ? 0 : XC_EPROTO;                      \
	}

MESSAGE_STRUCTS(DEFINE)
