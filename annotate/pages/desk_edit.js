// Changes to the record on screen.

const LONGEST_MENTION = 1000; // as in decision_forms.py

const EDITING = {
  edit(change) {
    if (!this.current || change(this.current) === false) return;
    this.current.visited = false;
    this.draw();
  },

  choose(index) {
    if (!this.current || index === this.current.chosen) return;
    this.current.chosen = index;
    if (this.stage.chosenBox >= 0) this.stage.chooseBox(-1); // what is deleted is what was chosen last
    const mention = this.current.mentions[index];
    if (mention && this.current.keys.includes(mention.finding)) this.current.finding = mention.finding;
    this.draw();
    if (index >= 0) this.caption.scrollTo(index);
  },

  flag() { this.edit((work) => { work.flagged = !work.flagged; }); },

  drawBox() {
    if (this.current) this.stage.startDrawing(this.current.finding);
  },

  boxAdded(box) {
    this.edit((work) => {
      work.boxes.push(box);
      if (work.cells[box.finding] !== '1') work.set(box.finding, '1');
    });
    this.stage.drawBoxes();
  },

  remove() {
    const { chosenBox } = this.stage;
    if (chosenBox < 0) {
      this.edit((work) => work.deleteChosen());
      return;
    }
    this.edit((work) => { work.boxes.splice(chosenBox, 1); });
    this.stage.chooseBox(-1);
  },

  addMention(finding, assertion, start, end, offered) {
    if (end - start > LONGEST_MENTION) {
      this.say(`A mention has at most ${LONGEST_MENTION} characters: mark only the words that name the finding.`);
      return;
    }
    this.edit((work) => work.addMention(finding, assertion, start, end));
    if (offered) this.outbox.add('mention-proposal', { op_id: newId(), record_id: this.current.id, finding, start, end });
    this.root.focus({ preventScroll: true });
  },

  turnPanel(step) {
    const { record } = this.current;
    const ids = inOrder([record, ...record.relatives]).map((each) => each.id);
    const id = ids[ids.indexOf(record.id) + step];
    if (id !== undefined) this.open(id);
  },
};
