/* The filter of system calls, and what becomes of those that it asks about: they are refused, counted and said. */
#define MOST_INSTRUCTIONS 1024

/* System calls that were refused, by what they were; what finds no place any more is counted in the last. */
struct refused { unsigned int machine, call; word count; char by[16]; };
struct allRefused { int listener, kinds; struct refused kind[96]; };

struct instruction { unsigned short code; unsigned char yes, no; unsigned int value; };
struct question { word id; unsigned int pid, flags; int call; unsigned int machine; word at, arguments[6]; };
struct answer { word id; long value; int error; unsigned int flags; };

/* Puts the filter before this process and all that it starts. Returns where it asks; -1 where it cannot. */
static int filter(struct instruction *instructions, unsigned short count) {
  struct { unsigned short count; struct instruction *first; } program = {count, instructions};
  if (count == 0) return -1;
  CALL(PRCTL, 38 /* PR_SET_NO_NEW_PRIVS */, 1, 0, 0);
  long listener = CALL(SECCOMP, 1 /* SECCOMP_SET_MODE_FILTER */, 8 /* SECCOMP_FILTER_FLAG_NEW_LISTENER */, &program, 0);
  if (listener >= 0) return listener;
  for (int i = 0; i < count; i++)
    if (instructions[i].code == 6 && instructions[i].value == 0x7fc00000 /* SECCOMP_RET_USER_NOTIF */)
      instructions[i].value = 0x00050000 /* SECCOMP_RET_ERRNO */ | EPERM;
  if (CALL(SECCOMP, 1, 0, &program, 0) < 0) {
    complain("the kernel takes no filter of system calls", "");
    quit(CANNOT_RUN);
  }
  return -1;
}

static void sayRefused(const char *kind, const struct secret *secret, const struct refused *one) {
  struct line line;
  startLine(&line, kind, secret);
  put(&line, "refused "), putNumber(&line, one->machine), put(&line, " "), putNumber(&line, one->call);
  put(&line, " "), putNumber(&line, one->count), put(&line, " "), put(&line, one->by);
  endLine(&line);
}

/* Answers one system call that waits, and counts it. One whose program was killed meanwhile needs no answer. */
static void answer(struct allRefused *all, const struct secret *secret) {
  struct question question;
  struct answer no = {0, 0, -EPERM, 0};
  struct line path;
  char by[16] = "";
  for (word i = 0; i < sizeof question; i++) ((volatile char *)&question)[i] = 0;
  if (CALL(IOCTL, all->listener, 0xc0502100 /* SECCOMP_IOCTL_NOTIF_RECV */, &question, 0) < 0) return;
  path.length = 0;
  put(&path, "/proc/"), putNumber(&path, question.pid), put(&path, "/comm");
  path.text[path.length] = 0;
  /* A program calls itself what it likes. */
  long n = readLine(path.text, by, sizeof by);
  if (n > 0 && by[n - 1] == ' ') by[--n] = 0;
  for (long at = 0; at < n; at++) if (by[at] <= ' ' || by[at] > '~') by[at] = '?';
  no.id = question.id;
  CALL(IOCTL, all->listener, 0xc0182101 /* SECCOMP_IOCTL_NOTIF_SEND */, &no, 0);

  int most = sizeof all->kind / sizeof *all->kind, at = 0;
  while (at < all->kinds && (all->kind[at].machine != question.machine || all->kind[at].call != (unsigned int)question.call)) at++;
  struct refused *kind = &all->kind[at < most ? at : most - 1];
  if (at < most && at == all->kinds) {
    all->kinds++;
    kind->machine = question.machine, kind->call = question.call, kind->count = 0;
    for (int i = 0; i < 16; i++) kind->by[i] = by[i];
  }
  if (++kind->count == 1) sayRefused("refused", secret, kind);
}
