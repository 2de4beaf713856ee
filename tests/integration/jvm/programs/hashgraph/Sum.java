package hashgraph;

import com.swirlds.common.io.streams.SerializableDataInputStream;
import com.swirlds.common.io.streams.SerializableDataOutputStream;
import com.swirlds.common.merkle.MerkleLeaf;
import com.swirlds.common.merkle.impl.PartialMerkleLeaf;
import com.swirlds.common.system.InitTrigger;
import com.swirlds.common.system.Platform;
import com.swirlds.common.system.Round;
import com.swirlds.common.system.SoftwareVersion;
import com.swirlds.common.system.SwirldDualState;
import com.swirlds.common.system.SwirldState2;
import com.swirlds.common.system.address.AddressBook;
import java.io.IOException;
import java.nio.ByteBuffer;

/** What all nodes agree on: the sum of all numbers up to a round; printed, for a test to compare. */
public final class Sum extends PartialMerkleLeaf implements SwirldState2, MerkleLeaf {
    private long sum;
    private AddressBook book;

    public Sum() {}

    private Sum(Sum other) {
        super(other);
        sum = other.sum;
        book = other.book;
    }

    @Override
    public void init(Platform platform, AddressBook members, SwirldDualState dual, InitTrigger trigger,
            SoftwareVersion previous) {
        book = members;
    }

    @Override
    public void handleConsensusRound(Round round, SwirldDualState dual) {
        round.forEachTransaction(transaction -> sum += ByteBuffer.wrap(transaction.getContents()).getLong());
        System.out.println("round " + round.getRoundNum() + " sum " + sum);
    }

    @Override
    public AddressBook getAddressBookCopy() {
        return book.copy();
    }

    @Override
    public Sum copy() {
        throwIfImmutable();
        setImmutable(true);
        return new Sum(this);
    }

    @Override
    public void serialize(SerializableDataOutputStream out) throws IOException {
        out.writeLong(sum);
    }

    @Override
    public void deserialize(SerializableDataInputStream in, int version) throws IOException {
        sum = in.readLong();
    }

    @Override
    public long getClassId() {
        return 0x676F6C646E6F6465L;
    }

    @Override
    public int getVersion() {
        return 1;
    }
}
