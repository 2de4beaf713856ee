package sample;

import java.security.Provider;

/** A security provider that provides nothing. */
public final class SampleProvider extends Provider {
    private static final long serialVersionUID = 1L;

    public SampleProvider() {
        super("Sample", "1", "nothing");
    }
}
