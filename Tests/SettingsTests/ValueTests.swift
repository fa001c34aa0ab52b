import OCI
import Testing

@testable import Settings

@Suite("The texts of single values")
struct ValueTests {
    @Test(
        "durations are a whole number and a unit",
        arguments: [
            ("500ms", Duration.milliseconds(500)), ("30s", .seconds(30)), ("5m", .seconds(300)),
            ("12h", .seconds(43200)), ("30d", .seconds(30 * 86400)), ("0s", .zero),
        ]
    )
    func durations(text: String, value: Duration) {
        #expect(Duration(settingsText: text) == value)
        #expect(value.settingsText == text)
    }

    @Test(
        "what is not a duration is refused",
        arguments: [
            "", "60", "60x", "s", "-5s", "1.5s", "1h30m", "5 s 5", "99999999999999999999s", "999999999999999999d",
        ]
    )
    func wrongDurations(text: String) {
        #expect(Duration(settingsText: text) == nil)
    }

    @Test(
        "sizes are decimal without an i and binary with one",
        arguments: [
            ("0B", 0), ("512B", 512), ("10KB", 10_000), ("32KiB", 32768), ("10GB", 10_000_000_000),
            ("64GiB", 64 << 30), ("2TiB", 2 << 40),
        ]
    )
    func sizes(text: String, bytes: Int) {
        #expect(ByteCount(text)?.bytes == bytes)
        #expect(ByteCount(bytes: bytes).description == text)
    }

    @Test(
        "what is not a size is refused",
        arguments: ["", "10", "50GBB", "1.5GB", "-1GB", "GB", "10gb", "9999999999TB"]
    )
    func wrongSizes(text: String) {
        #expect(ByteCount(text) == nil)
    }

    @Test(
        "addresses have a host and a port",
        arguments: [
            ("127.0.0.1:5000", "127.0.0.1", 5000), ("[::]:5000", "::", 5000), ("localhost:0", "localhost", 0),
            ("0.0.0.0:65535", "0.0.0.0", 65535), ("[fe80::1]:80", "fe80::1", 80),
        ]
    )
    func addresses(text: String, host: String, port: Int) {
        #expect(ListenAddress(text) == ListenAddress(host: host, port: port))
        #expect(ListenAddress(text)?.description == text)
    }

    @Test(
        "what is not an address is refused",
        arguments: [
            "", "5000", ":5000", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "::1:5000", "[::1:5000", "a b:1", "h:+1",
        ]
    )
    func wrongAddresses(text: String) {
        #expect(ListenAddress(text) == nil)
    }

    @Test("free space is a percentage below 100 or a size")
    func freeSpace() {
        #expect(FreeSpace("5%") == .percent(5))
        #expect(FreeSpace("10GB") == .bytes(ByteCount(bytes: 10_000_000_000)))
        #expect(FreeSpace("100%") == nil)
        #expect(FreeSpace("5") == nil)
        #expect(FreeSpace("%") == nil)
    }

    @Test(
        "an endpoint loses its trailing slash and keeps its path",
        arguments: [
            ("https://registry-1.docker.io", "https://registry-1.docker.io"),
            ("http://127.0.0.1:5000/", "http://127.0.0.1:5000"),
            ("https://Artifacts.Example/api/docker/", "https://artifacts.example/api/docker"),
            ("http://[::1]:5000", "http://[::1]:5000"),
        ]
    )
    func endpoints(text: String, canonical: String) throws {
        #expect(try EndpointURL(text).description == canonical)
    }

    @Test(
        "an endpoint with anything more is refused, and the refusal does not repeat it",
        arguments: [
            "registry.example", "ftp://registry.example", "https://user:hunter2@registry.example",
            "https://registry.example?token=hunter2", "https://registry.example#x", "https://registry.example/v2",
            "https://", "https://a b", "https://host:99999", "https://host/a b",
        ]
    )
    func wrongEndpoints(text: String) {
        let refusal = #expect(throws: Refusal.self) { try EndpointURL(text) }
        #expect(refusal?.text.contains("hunter2") == false)
    }

    @Test("a proxy keeps its password for libcurl and hides it from people")
    func proxy() throws {
        let proxy = try ProxyURL("http://user:hunter2@proxy.example:3128")
        #expect(proxy.url.reveal() == "http://user:hunter2@proxy.example:3128")
        #expect("\(proxy)" == "http://<redacted>@proxy.example:3128")
        #expect(!String(reflecting: proxy).contains("hunter2"))
    }
}
