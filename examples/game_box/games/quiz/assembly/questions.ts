// The questions. The first answer is the right one. The page shows the answers in alphabetical order.
export class Question {
  constructor(public text: string, public right: string, public wrong: string[]) {}

  get answers(): string[] {
    return [this.right].concat(this.wrong).sort();
  }
}

export const QUESTIONS: Question[] = [
  new Question("Which planet has the shortest year?", "Mercury", ["Venus", "Mars", "Jupiter"]),
  new Question("In which ocean are the Maldives?", "The Indian Ocean", ["The Pacific", "The Atlantic", "The Arctic Ocean"]),
  new Question("How many legs does a lobster have?", "Ten", ["Six", "Eight", "Twelve"]),
  new Question("Which of these is a mammal?", "The dolphin", ["The shark", "The tuna", "The octopus"]),
  new Question("Who wrote \"Frankenstein\"?", "Mary Shelley", ["Bram Stoker", "Jane Austen", "Edgar Allan Poe"]),
  new Question("What is the square root of 361?", "19", ["17", "21", "23"]),
  new Question("Which metal is liquid at room temperature?", "Mercury", ["Tin", "Lead", "Silver"]),
  new Question("Which language did Joe Armstrong help to invent?", "Erlang", ["Prolog", "Haskell", "Smalltalk"]),
];
