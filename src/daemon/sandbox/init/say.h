/* What the first process says on its standard error, and to whom: lines with the 8 bytes are for the daemon only. */
static word length(const char *text) { word n = 0; while (text[n]) n++; return n; }

/* One line of standard error: said in one piece, so that nothing of the program's comes between. */
struct line { word length; char text[2048]; };

static void put(struct line *line, const char *text) {
  for (; *text && line->length < sizeof line->text; text++) line->text[line->length++] = *text;
}

static void putNumber(struct line *line, word number) {
  char digits[21];
  int at = 20;
  for (digits[at] = 0; number || at == 20; number /= 10) digits[--at] = '0' + number % 10;
  put(line, digits + at);
}

static void say(struct line *line) {
  for (word said = 0; said < line->length;) {
    long n = CALL(WRITE, 2, line->text + said, line->length - said, 0);
    struct watched room = {2, OUT, 0};
    if (n > 0) said += n;
    /* The program has the same standard error: it may have filled it, and made it one that does not wait. */
    else if (n == -EAGAIN) CALL(PAUSE_POLL, &room, 1, 0, 0);
    else if (n != -EINTR) break;
  }
}

static void complain(const char *one, const char *two) {
  struct line line;
  line.length = 0;
  put(&line, "orchestrator: "), put(&line, one), put(&line, two), put(&line, "\n");
  say(&line);
}

/* The 8 bytes, as they stand in lines. */
struct secret { char text[17]; };

static void writeSecret(struct secret *secret, const unsigned char *bytes) {
  for (int i = 0; i < 16; i++) {
    int half = i % 2 ? bytes[i / 2] & 15 : bytes[i / 2] >> 4;
    secret->text[i] = half < 10 ? '0' + half : 'a' + half - 10;
  }
  secret->text[16] = 0;
}

static void startLine(struct line *line, const char *kind, const struct secret *secret) {
  line->length = 0;
  put(line, "orchestrator-"), put(line, kind), put(line, " "), put(line, secret->text), put(line, " ");
}

static void endLine(struct line *line) { put(line, "\n"), say(line); }

/* The beginning of a file, as text of one line; nothing when there is none. */
static long readLine(const char *path, char *text, long room) {
  long fd = CALL(OPENAT, -100 /* AT_FDCWD */, path, 02000000 /* O_CLOEXEC */, 0);
  if (fd < 0) return 0;
  long n = CALL(READ, fd, text, room - 1, 0);
  CALL(CLOSE, fd, 0, 0, 0);
  if (n < 0) n = 0;
  for (long at = 0; at < n; at++) if (text[at] == '\n') text[at] = ' ';
  text[n] = 0;
  return n;
}
