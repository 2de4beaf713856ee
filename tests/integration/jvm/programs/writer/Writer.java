package writer;

import com.daml.ledger.api.v1.admin.party_management_service.AllocatePartyRequest;
import com.daml.ledger.api.v1.admin.party_management_service.ListKnownPartiesRequest;
import com.daml.ledger.api.v1.admin.party_management_service.PartyManagementServiceGrpc;
import com.daml.ledger.api.v1.admin.party_management_service.PartyManagementServiceGrpc.PartyManagementServiceBlockingStub;
import io.grpc.ManagedChannel;
import io.grpc.netty.NettyChannelBuilder;

/** Writes to a Daml ledger: allocates parties, one after the other, none twice and none again. */
public final class Writer {
    private Writer() {}

    /** Arguments: port, how many, milliseconds between two. Prints how many the ledger knows at the end. */
    public static void main(String[] arguments) throws InterruptedException {
        int many = Integer.parseInt(arguments[1]);
        ManagedChannel channel =
                NettyChannelBuilder.forAddress("127.0.0.1", Integer.parseInt(arguments[0])).usePlaintext().build();
        PartyManagementServiceBlockingStub parties = PartyManagementServiceGrpc.blockingStub(channel);
        for (int number = 0; number < many; number++) {
            parties.allocateParty(new AllocatePartyRequest("party-" + number, ""));
            Thread.sleep(Long.parseLong(arguments[2]));
        }
        long known = 0;
        for (int number = 0; number < many; number++) {
            String name = "party-" + number;
            known += parties.listKnownParties(new ListKnownPartiesRequest()).partyDetails()
                    .exists(details -> details.party().equals(name)) ? 1 : 0;
        }
        System.out.println(known);
        channel.shutdownNow();
    }
}
