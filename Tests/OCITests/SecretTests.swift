import OCI
import Testing

@Suite("Secret")
struct SecretTests {
    private struct Holder {
        var password: Secret
    }

    @Test("shows nothing of itself, whichever way it is printed")
    func redacts() {
        let secret = Secret("hunter2")
        var dumped = ""
        dump(Holder(password: secret), to: &dumped)
        for text in ["\(secret)", String(reflecting: secret), "\(Holder(password: secret))", dumped] {
            #expect(!text.contains("hunter2"))
            #expect(text.contains("<redacted>"))
        }
    }

    @Test("gives its text to those who ask for it")
    func reveals() {
        #expect(Secret("hunter2").reveal() == "hunter2")
        #expect(Secret("a") != Secret("b"))
    }
}
