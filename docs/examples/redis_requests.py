"""Requests to redisd, and the answers byte by byte. Each row begins with an empty keyspace."""

WRONG = "-WRONGTYPE Operation against a key holding the wrong kind of value"
RANGE = "-ERR value is not an integer or out of range"

# A line of "request -> answer"; the answer has a blank for each line break. '' is an empty string.
ROWS = """
PING -> +PONG
PING hello -> $5 hello
ECHO hello -> $5 hello
SELECT 0 -> +OK; SELECT 1 -> -ERR DB index is out of range; SELECT x -> {range}
COMMAND -> *0
CONFIG GET save -> *2 $4 save $0 ''; CONFIG GET appendonly -> *2 $10 appendonly $2 no; CONFIG GET nothing -> *0
BGREWRITEAOF -> -ERR there is no append-only file; BGREWRITEAOF now -> -ERR wrong number of arguments for 'bgrewriteaof' command
NOSUCH a b -> -ERR unknown command 'NOSUCH', with args beginning with: 'a' 'b' ; PING -> +PONG
GET -> -ERR wrong number of arguments for 'get' command
get a b -> -ERR wrong number of arguments for 'get' command
HELLO 3 -> -NOPROTO unsupported protocol version

SET a 1 -> +OK; GET a -> $1 1; gEt a -> $1 1; GET b -> $-1; EXISTS a b a -> :2; TYPE a -> +string; TYPE b -> +none
SET a '' -> +OK; GET a -> $0 ''; STRLEN a -> :0; STRLEN b -> :0
SET a 1 NX -> +OK; SET a 2 NX -> $-1; SET a 3 XX -> +OK; SET b 1 XX -> $-1; MGET a b -> *2 $1 3 $-1
SET a 1 NX XX -> -ERR syntax error; SET a 1 FOO -> -ERR syntax error; SET a 1 EX -> -ERR syntax error
SET a 1 EX 0 -> -ERR invalid expire time in 'set' command; SET a 1 EX x -> {range}
SET a 1 EX 9223372036854775807 -> -ERR invalid expire time in 'set' command; EXISTS a -> :0
SET a 1 EX 100 -> +OK; TTL a -> :100; SET a 2 KEEPTTL -> +OK; TTL a -> :100; SET a 3 -> +OK; TTL a -> :-1; TTL b -> :-2
SET a 1 GET -> $-1; SET a 2 GET -> $1 1; SET a 3 NX GET -> $1 2; GET a -> $1 2
SETNX a 1 -> :1; SETNX a 2 -> :0; GET a -> $1 1
SETEX a 100 v -> +OK; TTL a -> :100; PSETEX a 100000 w -> +OK; TTL a -> :100; SETEX a 0 v -> -ERR invalid expire time in 'setex' command
GETSET a 1 -> $-1; GETSET a 2 -> $1 1; GETDEL a -> $1 2; GETDEL a -> $-1; DBSIZE -> :0
MSET a 1 b 2 -> +OK; MGET a c b -> *3 $1 1 $-1 $1 2; MSET a 1 b -> -ERR wrong number of arguments for 'mset' command
APPEND a xy -> :2; APPEND a z -> :3; GET a -> $3 xyz; STRLEN a -> :3
INCR a -> :1; INCRBY a 10 -> :11; DECR a -> :10; DECRBY a 20 -> :-10; GET a -> $3 -10; INCRBY a x -> {range}
SET a 9223372036854775807 -> +OK; INCR a -> -ERR increment or decrement would overflow; GET a -> $19 9223372036854775807
SET a -9223372036854775808 -> +OK; DECR a -> -ERR increment or decrement would overflow; INCR a -> :-9223372036854775807
SET a 9223372036854775808 -> +OK; INCR a -> {range}; SET a 01 -> +OK; INCR a -> {range}; SET a +1 -> +OK; INCR a -> {range}; SET a - -> +OK; INCR a -> {range}
DECRBY a -9223372036854775808 -> -ERR decrement would overflow; EXISTS a -> :0
SET a abcdef -> +OK; GETRANGE a 1 3 -> $3 bcd; GETRANGE a -2 -1 -> $2 ef; GETRANGE a 4 2 -> $0 ''; GETRANGE a 0 99 -> $6 abcdef; GETRANGE b 0 1 -> $0 ''
SET a 1 EX x FOO -> -ERR syntax error; SET a 1 EX 10 PX 10 -> -ERR syntax error; SET a 1 EX x EX 100 -> +OK; TTL a -> :100
SET a abc -> +OK; GETRANGE a 0 -9 -> $1 a; GETRANGE a -9 -9 -> $1 a; GETRANGE a -9 -10 -> $0 ''; SETRANGE a 600000000 '' -> :3
RPUSH l a -> :1; SETRANGE l -1 x -> -ERR offset is out of range; LSET m x y -> -ERR no such key; LINDEX m x -> $-1; LPOP l 1 2 -> -ERR wrong number of arguments for 'lpop' command
BLPOP l x -> -ERR timeout is not a float or out of range; BLPOP l 1e17 -> -ERR timeout is out of range; BLPOP l -0.1 -> -ERR timeout is negative
SET a abc -> +OK; GETRANGE a 9223372036854775807 -9223372036854775808 -> $0 ''
SET a abc -> +OK; SETRANGE a 1 XYZ -> :4; GET a -> $4 aXYZ; SETRANGE a -1 x -> -ERR offset is out of range; SETRANGE b 0 '' -> :0; EXISTS b -> :0
SETRANGE a 600000000 x -> -ERR string exceeds maximum allowed size (proto-max-bulk-len); EXISTS a -> :0

DEL a -> :0; MSET a 1 b 2 -> +OK; DEL a b c -> :2; DBSIZE -> :0; SET a 1 -> +OK; UNLINK a -> :1
EXPIRE a 10 -> :0; SET a 1 -> +OK; EXPIRE a 10 -> :1; TTL a -> :10; PERSIST a -> :1; PERSIST a -> :0; TTL a -> :-1
SET a 1 -> +OK; PEXPIRE a 10000 -> :1; TTL a -> :10; EXPIRE a -1 -> :1; EXISTS a -> :0
SET a 1 -> +OK; EXPIREAT a 1 -> :1; EXISTS a -> :0; SET a 1 -> +OK; PEXPIREAT a 1 -> :1; EXISTS a -> :0
SET a 1 -> +OK; EXPIRE a x -> {range}; EXPIRE a 9223372036854775807 -> -ERR invalid expire time in 'expire' command
SET a 1 -> +OK; RENAME a b -> +OK; GET b -> $1 1; RENAME a b -> -ERR no such key; SET c 2 -> +OK; RENAME c b -> +OK; GET b -> $1 2; RENAME b b -> +OK; DBSIZE -> :1
MSET foo 1 fob 2 bar 3 -> +OK; KEYS ba* -> *1 $3 bar; KEYS [f-f]?o -> *1 $3 foo; KEYS [^f]* -> *1 $3 bar; KEYS z -> *0; KEYS \\f*o -> *1 $3 foo
SET a 1 -> +OK; SCAN 0 COUNT 1000 -> *2 $1 0 *1 $1 a; SCAN 0 MATCH b* COUNT 1000 -> *2 $1 0 *0; SCAN x -> -ERR invalid cursor; SCAN 0 COUNT 0 -> -ERR syntax error; SCAN 0 FOO x COUNT 9 -> -ERR syntax error
SET a 1 -> +OK; FLUSHALL -> +OK; DBSIZE -> :0; FLUSHALL ASYNC -> +OK; FLUSHALL NOW -> -ERR syntax error

RPUSH l a b c -> :3; LPUSH l z -> :4; LRANGE l 0 -1 -> *4 $1 z $1 a $1 b $1 c; LLEN l -> :4; TYPE l -> +list
RPUSH l a b c -> :3; LPOP l -> $1 a; RPOP l -> $1 c; LPOP l -> $1 b; LPOP l -> $-1; EXISTS l -> :0; LLEN l -> :0
RPUSH l a b c -> :3; LPOP l 2 -> *2 $1 a $1 b; RPOP l 9 -> *1 $1 c; LPOP l 1 -> *-1; LPOP l -1 -> -ERR value is out of range, must be positive
RPUSH l a b c d -> :4; LRANGE l -2 -1 -> *2 $1 c $1 d; LRANGE l 2 1 -> *0; LRANGE l 9 10 -> *0; LRANGE m 0 -1 -> *0
RPUSH l a b -> :2; LINDEX l 0 -> $1 a; LINDEX l -1 -> $1 b; LINDEX l 2 -> $-1; LSET l -1 c -> +OK; LRANGE l 0 -1 -> *2 $1 a $1 c; LSET l 5 x -> -ERR index out of range; LSET m 0 x -> -ERR no such key
RPUSH l a x a x a -> :5; LREM l -2 a -> :2; LRANGE l 0 -1 -> *3 $1 a $1 x $1 x; LREM l 1 x -> :1; LREM l 0 x -> :1; LREM l 0 a -> :1; EXISTS l -> :0
RPUSH l a b c d -> :4; LTRIM l 1 2 -> +OK; LRANGE l 0 -1 -> *2 $1 b $1 c; LTRIM l 5 9 -> +OK; EXISTS l -> :0
RPUSH l a b c -> :3; LMOVE l m LEFT RIGHT -> $1 a; LMOVE l m RIGHT LEFT -> $1 c; LRANGE m 0 -1 -> *2 $1 c $1 a; LMOVE l l LEFT LEFT -> $1 b; LMOVE x y LEFT LEFT -> $-1; LMOVE l m UP LEFT -> -ERR syntax error
RPUSH l a b -> :2; BLPOP k l 0 -> *2 $1 l $1 a; BRPOP l 0 -> *2 $1 l $1 b; BLPOP l 0.01 -> *-1; BLPOP l x -> -ERR timeout is not a float or out of range; BLPOP l -1 -> -ERR timeout is negative
RPUSH l a -> :1; BLMOVE l m RIGHT LEFT 0 -> $1 a; BLMOVE l m LEFT LEFT 0.01 -> *-1; LRANGE m 0 -1 -> *1 $1 a

HSET h f 1 g 2 -> :2; HSET h f 3 -> :0; HGET h f -> $1 3; HGET h x -> $-1; HLEN h -> :2; HEXISTS h g -> :1; HEXISTS h x -> :0; TYPE h -> +hash
HSET h f 1 -> :1; HGETALL h -> *2 $1 f $1 1; HKEYS h -> *1 $1 f; HVALS h -> *1 $1 1; HGETALL x -> *0; HMGET h f x -> *2 $1 1 $-1
HSET h f -> -ERR wrong number of arguments for 'hset' command; HSET h f 1 g -> -ERR wrong number of arguments for 'hset' command
HSET h f 1 -> :1; HDEL h f x -> :1; EXISTS h -> :0; HDEL h f -> :0; HSETNX h f 1 -> :1; HSETNX h f 2 -> :0; HGET h f -> $1 1
HINCRBY h f 5 -> :5; HINCRBY h f -7 -> :-2; HSET h g x -> :1; HINCRBY h g 1 -> -ERR hash value is not an integer; HINCRBY h f y -> {range}

SADD s a b a -> :2; SCARD s -> :2; SISMEMBER s a -> :1; SISMEMBER s x -> :0; SREM s a x -> :1; SMEMBERS s -> *1 $1 b; SREM s b -> :1; EXISTS s -> :0; TYPE s -> +none
SADD s a -> :1; SPOP s -> $1 a; SPOP s -> $-1; SPOP s 2 -> *0; SADD s b -> :1; SPOP s 5 -> *1 $1 b; SPOP s -1 -> -ERR value is out of range, must be positive
SADD s a b c -> :3; SADD t b -> :1; SINTER s t -> *1 $1 b; SADD u a b c -> :3; SDIFF s u -> *0; SDIFF t s -> *0; SUNION t x -> *1 $1 b; SINTER s x -> *0; SUNION x y -> *0

SET a 1 -> +OK; LPUSH a x -> {wrong}; HGET a f -> {wrong}; SADD a x -> {wrong}; SINTER x a -> {wrong}; BLPOP a 0 -> {wrong}; LMOVE a b LEFT LEFT -> {wrong}
LPUSH a x -> :1; GET a -> {wrong}; INCR a -> {wrong}; APPEND a x -> {wrong}; GETSET a x -> {wrong}; MGET a -> *1 $-1; SET a 1 -> +OK; GET a -> $1 1
LPUSH l x -> :1; SET a 1 -> +OK; LMOVE l a LEFT LEFT -> {wrong}; LLEN l -> :1

MULTI -> +OK; INCR a -> +QUEUED; GET a -> +QUEUED; EXEC -> *2 :1 $1 1
MULTI -> +OK; MULTI -> -ERR MULTI calls can not be nested; SET a 1 -> +QUEUED; DISCARD -> +OK; EXISTS a -> :0
EXEC -> -ERR EXEC without MULTI; DISCARD -> -ERR DISCARD without MULTI; MULTI -> +OK; EXEC -> *0
MULTI -> +OK; SET a 1 -> +QUEUED; FOO -> -ERR unknown command 'FOO', with args beginning with: ; EXEC -> -EXECABORT Transaction discarded because of previous errors.; EXISTS a -> :0
MULTI -> +OK; SET a -> -ERR wrong number of arguments for 'set' command; EXEC -> -EXECABORT Transaction discarded because of previous errors.
MULTI -> +OK; SET a x -> +QUEUED; INCR a -> +QUEUED; SET b 1 -> +QUEUED; EXEC -> *3 +OK {range} +OK; GET b -> $1 1
MULTI -> +OK; SUBSCRIBE c -> -ERR Command not allowed inside a transaction; WATCH a -> -ERR WATCH inside MULTI is not allowed; DISCARD -> +OK
MULTI -> +OK; BLPOP l 0 -> +QUEUED; BLMOVE l m LEFT LEFT 0 -> +QUEUED; EXEC -> *2 *-1 $-1
WATCH a -> +OK; MULTI -> +OK; SET a 1 -> +QUEUED; EXEC -> *1 +OK
WATCH a -> +OK; SET a 0 -> +OK; MULTI -> +OK; SET a 1 -> +QUEUED; EXEC -> *-1; GET a -> $1 0; MULTI -> +OK; EXEC -> *0
WATCH a -> +OK; SET a 0 -> +OK; UNWATCH -> +OK; MULTI -> +OK; SET a 1 -> +QUEUED; EXEC -> *1 +OK
LPUSH a x -> :1; WATCH a -> +OK; LPOP a -> $1 x; LPUSH a x -> :1; MULTI -> +OK; EXEC -> *-1
SET a 1 -> +OK; WATCH a -> +OK; FLUSHALL -> +OK; MULTI -> +OK; EXEC -> *-1; WATCH a -> +OK; FLUSHALL -> +OK; MULTI -> +OK; EXEC -> *0
WATCH a -> +OK; SET a 1 -> +OK; EXEC -> -ERR EXEC without MULTI; MULTI -> +OK; GET a -> +QUEUED; EXEC -> *-1
MULTI -> +OK; EXEC now -> -EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command; SET a 1 -> +OK
WATCH a -> +OK; SET a 1 -> +OK; DEL a -> :1; MULTI -> +OK; EXEC -> *-1
SET a 1 -> +OK; WATCH b -> +OK; DEL a b -> :1; UNLINK b -> :0; MULTI -> +OK; EXEC -> *0
RPUSH b x -> :1; RPUSH c x -> :1; WATCH a c -> +OK; BLPOP a b c 0 -> *2 $1 b $1 x; MULTI -> +OK; EXEC -> *0
WATCH a b -> +OK; RPUSH a x -> :1; UNWATCH -> +OK; WATCH a a b -> +OK; LMOVE a b LEFT LEFT -> $1 x; MULTI -> +OK; EXEC -> *-1

PUBLISH c m -> :0; UNSUBSCRIBE -> *3 $11 unsubscribe $-1 :0; PUNSUBSCRIBE x -> *3 $12 punsubscribe $1 x :0
SUBSCRIBE c d -> *3 $9 subscribe $1 c :1 *3 $9 subscribe $1 d :2; PING -> *2 $4 pong $0 ''; GET a -> -ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context; UNSUBSCRIBE d -> *3 $11 unsubscribe $1 d :1; PSUBSCRIBE x* -> *3 $10 psubscribe $2 x* :2; UNSUBSCRIBE c -> *3 $11 unsubscribe $1 c :1; PUNSUBSCRIBE -> *3 $12 punsubscribe $2 x* :0; GET a -> $-1
""".replace("{range}", RANGE).replace("{wrong}", WRONG)

# Bytes that are no request, and what the error says. The connection is closed after it.
ERRORS = [
    (b"*x\r\n", "invalid multibulk length"),
    (b"*1\n" + b"$4\n" * 10, "invalid multibulk length"),
    (b"*99999999999999999999\r\n", "invalid multibulk length"),
    (b"*2000000\r\n", "invalid multibulk length"),
    (b"*" + b"1" * 100, "invalid multibulk length"),
    (b"*1\r\n+PING\r\n", "expected '$'"),
    (b"*1\r\n*1\r\n*1\r\n$4\r\nPING\r\n", "expected '$'"),
    (b"*1\r\n$-1\r\n", "invalid bulk length"),
    (b"*1\r\n$x\r\n", "invalid bulk length"),
    (b"*1\r\n$4\rPING\r\n", "invalid bulk length"),
    (b"*1\r\n$9999999999\r\n", "invalid bulk length"),
    (b"*1\r\n$3\r\nPING\r\n", "longer than announced"),
    (b"*1\r\n$4\r\nPINGxx", "longer than announced"),
    (b"x" * 70000, "too big inline request"),
    (b"x" * 70000 + b"\r\n", "too big inline request"),
]


def split_answer(text):
    """The bytes of an answer. Errors and the statuses in them contain blanks."""
    parts, words = [], text.split(" ")
    while words:
        word = words.pop(0)
        if word.startswith("-") and not word[1:].isdigit():  # an error goes on to the next answer
            while words and words[0][:1] not in ("+", "*"):
                word += " " + words.pop(0)
        parts.append("" if word == "''" else word)
    return "".join(part + "\r\n" for part in parts).encode()


def rows():
    """Lists of (words of a request, bytes of its answer)."""
    for line in ROWS.strip().splitlines():
        if line:
            pairs = (step.split(" -> ") for step in line.split("; "))
            yield [([w if w != "''" else "" for w in request.split()], split_answer(answer))
                   for request, answer in pairs]
