"""Publishes the samples of a collection to Kafka: each at least once, and in order per book.

What is to be sent is read from the journal, where the samples are durable before anything else
happens to them, and stays there until the brokers have confirmed it. So neither brokers that are
away nor slow ones cost a sample or delay a tick, and a crash costs neither.
"""
