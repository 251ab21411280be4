/* The upper half of the hash chooses the block; the lower half, multiplied by eight odd numbers, one bit in each of the
 * block's eight words. */
#include "core/bloom.h"

#include "core/digest.h"
#include "core/mem.h"
#include "core/must.h"

enum { BLOCK = 32, WORDS = 8, BYTES_PER_KEY = 2 };

static const uint32_t factors[WORDS] = { 0x2c7d51e5, 0xa6b94f1b, 0x5d3e80c7, 0xe19a2b6d,
                                         0x8f04d7a9, 0x39c6e853, 0x74b1f02f, 0xc25d9631 };

void bloom_init(struct bloom *b, int64_t keys)
{
    must(keys >= 0 && keys < (int64_t) UINT32_MAX);
    b->count = (uint32_t) (keys * BYTES_PER_KEY / BLOCK + 1);
    b->blocks = mem_alloc((size_t) b->count * BLOCK);
}

void bloom_fini(struct bloom *b)
{
    mem_free(b->blocks);
    *b = (struct bloom){ 0 };
}

bool bloom_read(struct bloom *b, struct str hex)
{
    size_t n = hex.n / 2, count = n / BLOCK;
    if (count == 0 || count > UINT32_MAX || hex.n != count * BLOCK * 2) return false;
    b->count = (uint32_t) count;
    b->blocks = mem_alloc(n);
    if (hex_decode(hex, b->blocks, n)) return true;
    bloom_fini(b);
    return false;
}

struct str bloom_bytes(const struct bloom *b)
{
    return (struct str){ (const char *) b->blocks, (size_t) b->count * BLOCK };
}

static uint8_t *block_of(const struct bloom *b, uint64_t hash)
{
    return b->blocks + BLOCK * (((hash >> 32) * b->count) >> 32);
}

/* One of the 32 bits of a word. */
static uint32_t bit_of(uint64_t hash, int word)
{
    return ((uint32_t) hash * factors[word]) >> 27;
}

void bloom_add(struct bloom *b, uint64_t hash)
{
    uint8_t *block = block_of(b, hash);
    for (int w = 0; w < WORDS; w++) block[4 * w + bit_of(hash, w) / 8] |= (uint8_t) (1 << bit_of(hash, w) % 8);
}

bool bloom_perhaps(const struct bloom *b, uint64_t hash)
{
    const uint8_t *block = block_of(b, hash);
    for (int w = 0; w < WORDS; w++) {
        if (!(block[4 * w + bit_of(hash, w) / 8] >> bit_of(hash, w) % 8 & 1)) return false;
    }
    return true;
}

void bloom_prefetch(const struct bloom *b, uint64_t hash)
{
    __builtin_prefetch(block_of(b, hash));
}
