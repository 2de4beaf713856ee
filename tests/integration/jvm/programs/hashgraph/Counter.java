package hashgraph;

import com.swirlds.common.system.BasicSoftwareVersion;
import com.swirlds.common.system.NodeId;
import com.swirlds.common.system.Platform;
import com.swirlds.common.system.PlatformStatus;
import com.swirlds.common.system.SoftwareVersion;
import com.swirlds.common.system.SwirldMain;
import com.swirlds.common.system.SwirldState;
import java.nio.ByteBuffer;

/** An application on the Swirlds platform: every node adds numbers, and all agree on the sums. */
public final class Counter implements SwirldMain {
    private Platform platform;

    @Override
    public void init(Platform platform, NodeId self) {
        this.platform = platform;
        System.out.println("node " + self.getId());
    }

    @Override
    public void run() {
        try {
            for (long number = 1; ; number++) {
                platform.createTransaction(ByteBuffer.allocate(Long.BYTES).putLong(number).array());
                Thread.sleep(200);
            }
        } catch (InterruptedException stopped) {
            Thread.currentThread().interrupt();
        }
    }

    @Override
    public void preEvent() {}

    @Override
    public SwirldState newState() {
        return new Sum();
    }

    @Override
    public void platformStatusChange(PlatformStatus status) {
        System.out.println("status " + status);
    }

    @Override
    public SoftwareVersion getSoftwareVersion() {
        return new BasicSoftwareVersion(1);
    }
}
