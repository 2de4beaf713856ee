package goldnode.jvm;

/**
 * The list of security providers: each node's own, for all of its threads.
 *
 * <p>Stands where the JDK keeps a list for one thread, which comes before the JVM's. What the JDK sets
 * there for a moment, while it verifies a signed jar, stays with the thread.
 */
final class NodeProviders extends ThreadLocal<Object> {
    private static final StackWalker WALKER = StackWalker.getInstance();

    @Override
    public Object get() {
        Object momentary = super.get();
        Owner owner = momentary == null ? Keeper.caller() : null;
        return owner == null ? momentary : owner.own().providers;
    }

    @Override
    public void set(Object list) {
        Owner owner = Keeper.caller();
        if (owner == null) {
            super.set(list);
        } else if (changes()) {
            owner.own().providers = list;
        } else if (owner.own().providers == list) {
            super.remove();
        } else {
            super.set(list);
        }
    }

    /** Whether the node adds or removes a provider. */
    private static boolean changes() {
        return WALKER.walk(frames -> frames.limit(4).anyMatch(f -> f.getMethodName().equals("changeThreadProviderList")));
    }
}
