package goldnode.jvm;

/** How long to wait before a node that ended by itself is started again: longer each time, up to a minute. */
final class Backoff {
    private static final long LONGEST = 60;

    private long ends;

    /**
     * The pause before the next start.
     *
     * @param first seconds to wait after the first end
     * @param lasted seconds that the life which just ended lasted; a long one starts the count anew
     */
    long pause(long first, long lasted) {
        ends = lasted >= LONGEST ? 1 : ends + 1;
        return Math.min(LONGEST, first << Math.min(ends - 1, 10));
    }
}
