import Posix
import Testing

@Suite("Mailbox", .timeLimit(.minutes(1)))
struct MailboxTests {
    @Test("elements come out in order, up to a limit")
    func order() {
        let mailbox = Mailbox<Int>()
        for number in 1...5 { #expect(mailbox.post(number)) }
        #expect(mailbox.take(upTo: 2) == [1, 2])
        #expect(mailbox.take(upTo: 10) == [3, 4, 5])
    }

    @Test("what is left when it is closed is still taken, and then nothing")
    func closed() {
        let mailbox = Mailbox<Int>()
        #expect(mailbox.post(1))
        mailbox.close()
        #expect(!mailbox.post(2))
        #expect(mailbox.take() == [1])
        #expect(mailbox.take() == nil)
    }

    @Test("a taker that waits gets what is posted, and the end")
    func waits() {
        let mailbox = Mailbox<Int>()
        let answers = Mailbox<[Int]?>()
        let taker = DedicatedThread(name: "taker") {
            while let taken = mailbox.take() { _ = answers.post(taken) }
            _ = answers.post(nil)
        }
        #expect(mailbox.post(1))
        #expect(answers.take() == [[1]])
        mailbox.close()
        #expect(answers.take() == [nil])
        taker.join()
    }

    @Test("a taker that waits for a time gets nothing after it, what is posted before, and the end")
    func waitsForATime() {
        let mailbox = Mailbox<Int>()
        #expect(mailbox.take(upTo: 1, waitingUpTo: .zero) == [])
        #expect(mailbox.take(upTo: 1, waitingUpTo: .milliseconds(1)) == [])
        #expect(mailbox.post(1))
        #expect(mailbox.post(2))
        #expect(mailbox.take(upTo: 1, waitingUpTo: .zero) == [1])
        let answers = Mailbox<[Int]?>()
        let taker = DedicatedThread(name: "taker") {
            while let taken = mailbox.take(upTo: 9, waitingUpTo: .seconds(3600)) { _ = answers.post(taken) }
            _ = answers.post(nil)
        }
        #expect(answers.take() == [[2]])
        #expect(mailbox.post(3))
        #expect(answers.take() == [[3]])
        mailbox.close()
        #expect(answers.take() == [nil])
        taker.join()
    }

    @Test("closing wakes every taker")
    func wakesAll() {
        let mailbox = Mailbox<Int>()
        let takers = (0..<4)
            .map { _ in
                DedicatedThread(name: "taker") { while mailbox.take() != nil {} }
            }
        mailbox.close()
        for taker in takers { taker.join() }
    }
}
