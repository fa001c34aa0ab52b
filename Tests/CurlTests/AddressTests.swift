import Curl
import HTTPTesting
import Testing

@Suite("Address class")
struct AddressClassTests {
    @Test(
        "of an address",
        arguments: [
            ("0.0.0.0", AddressClass.unspecified), ("0.1.2.3", .unspecified), ("::", .unspecified),
            ("255.255.255.255", .unspecified), ("224.0.0.1", .unspecified), ("ff02::1", .unspecified),
            ("127.0.0.1", .loopback), ("127.255.0.9", .loopback), ("::1", .loopback),
            ("169.254.0.1", .linkLocal), ("169.254.169.254", .linkLocal), ("fe80::1", .linkLocal),
            ("febf::1", .linkLocal), ("100.100.100.200", .metadata), ("fd00:ec2::254", .metadata),
            ("10.0.0.1", .privateUse), ("172.16.0.1", .privateUse), ("172.31.255.255", .privateUse),
            ("192.168.1.1", .privateUse), ("100.64.0.1", .privateUse), ("fc00::1", .privateUse),
            ("fd12::1", .privateUse), ("fec0::1", .privateUse), ("172.32.0.1", .publicUse), ("8.8.8.8", .publicUse),
            ("169.253.1.1", .publicUse), ("2606:4700::1111", .publicUse),
            ("::ffff:169.254.169.254", .linkLocal), ("::ffff:127.0.0.1", .loopback), ("::ffff:10.0.0.1", .privateUse),
            ("::ffff:8.8.8.8", .publicUse), ("::ffff:100.100.100.200", .metadata), ("::ffff:0.0.0.0", .unspecified),
            ("::127.0.0.1", .loopback), ("64:ff9b::a9fe:a9fe", .linkLocal), ("2002:a9fe:a9fe::1", .linkLocal),
        ]
    )
    func classes(address: String, expected: AddressClass) {
        #expect(AddressClass(literal: address) == expected)
    }

    @Test("names have none", arguments: ["localhost", "example.com", "", "1.2.3", "[::1]", "0x7f000001"])
    func names(text: String) {
        #expect(AddressClass(literal: text) == nil)
    }
}

@Suite("Address guard", .timeLimit(.minutes(1)))
struct AddressGuardTests {
    let loop = TransferLoop(name: "curl-test")

    private func request(_ url: String, refusing refused: Set<AddressClass>) -> TransferRequest {
        TransferRequest(url: url, connection: TransferRequest.Connection(refused: refused))
    }

    @Test(
        "a refused address is not connected to, whatever it is written as",
        arguments: ["127.0.0.1", "localhost", "2130706433"]
    )
    func refuses(host: String) async {
        let server = LoopbackServer { _ in .reply(200) }
        let error = await #expect(throws: TransferError.self) {
            try await loop.send(request("http://\(host):\(server.port)/", refusing: [.loopback]), to: CollectingSink())
        }
        #expect(error?.code == .refusedAddress)
        #expect(server.connectionCount == 0)
    }

    @Test(
        "metadata and link-local addresses are refused without a packet",
        arguments: [
            "169.254.169.254", "[fe80::1]", "100.100.100.200", "[fd00:ec2::254]", "0.0.0.0", "[::ffff:169.254.169.254]",
        ]
    )
    func metadata(host: String) async {
        let error = await #expect(throws: TransferError.self) {
            try await loop.send(
                request("http://\(host)/", refusing: [.linkLocal, .metadata, .unspecified]),
                to: CollectingSink()
            )
        }
        #expect(error?.code == .refusedAddress)
    }

    @Test("a connection that is kept open is judged again")
    func keptConnections() async throws {
        let server = LoopbackServer { _ in .reply(200, body: [1]) }
        try await loop.send(request(server.url("/"), refusing: []), to: CollectingSink())
        let error = await #expect(throws: TransferError.self) {
            try await loop.send(request(server.url("/"), refusing: [.loopback]), to: CollectingSink())
        }
        #expect(error?.code == .refusedAddress)
        #expect(server.requests.count == 1)
    }

    @Test("an address that is not refused is connected to")
    func allows() async throws {
        let server = LoopbackServer { _ in .reply(200, body: [1]) }
        try await loop.send(request(server.url("/"), refusing: [.linkLocal, .metadata]), to: CollectingSink())
    }
}
